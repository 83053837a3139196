---@meta _
-- luacheck: ignore 111 112 113 121 122 131 211 212 241

-- Files, HTTP, JSON, logs and programs, for language servers: nothing here runs. See swarm.lua.

---Files. Paths are relative to the working directory. All wait; what goes wrong raises
---`io_error{path, reason}`, a path that is not UTF-8 `invalid_value`. `read`, `list`, `glob` and
---`stat` also work while a script loads.
---@class swarm.Fs
local fs = {}

---A file whole, at most 256 MiB; a pipe or a device is no file.
---@param path string
---@return string bytes
function fs.read(path) end

---The lines of a file, without their line breaks: `for line in swarm.fs.lines(path) do`. The file
---is read whole at the call, and is at most as large as for `read`.
---@param path string
---@return fun(): string?
function fs.lines(path) end

---Writes a file anew.
---@param path string
---@param text string bytes
function fs.write(path, text) end

---Adds to the end of a file.
---@param path string
---@param text string bytes
function fs.append(path, text) end

---Whether there is a file or folder; links are followed.
---@param path string
---@return boolean
function fs.exists(path) end

---What is there, links followed; nil where there is nothing.
---@param path string
---@return swarm.Stat?
function fs.stat(path) end

---The names in a folder, sorted.
---@param path string
---@return string[]
function fs.list(path) end

---The files that fit a pattern, sorted; `**` crosses folders. No folders and nothing hidden.
---@param pattern string
---@return string[] paths
function fs.glob(pattern) end

---Makes a folder and those above it; one that is there stays.
---@param path string
function fs.mkdir(path) end

---Removes a file, a link itself, or a folder that is empty.
---@param path string
function fs.remove(path) end

---Runs `fn(folder)` with a new folder that only this user reaches. It is a block, as `swarm.scope`
---is; at its end, when its workers have settled, the folder goes with all that is in it. The verb
---is `write_files`, and its bounds have to admit the folder.
---@param fn fun(folder: string): any...
---@return any ...
function fs.temp_dir(fn) end

---Copies a file; into a folder, under its own name.
---@param from string
---@param to string
function fs.copy(from, to) end

---Moves a file, a folder or a link itself; into a folder, under its own name.
---@param from string
---@param to string
function fs.move(from, to) end

---Requests over HTTP.
---@class swarm.Http
local http = {}

---Sends a request, follows redirects and waits for the whole answer. A status is a result; what
---goes wrong on the way to one raises `http_error{url, reason}`.
---@param opts swarm.closed.HttpRequest
---@return swarm.HttpResponse
function http.request(opts) end

---`request` with the method GET.
---@param url string
---@param opts? swarm.closed.HttpOptions
---@return swarm.HttpResponse
function http.get(url, opts) end

---`request` with the method POST.
---@param url string
---@param opts? swarm.closed.HttpOptions
---@return swarm.HttpResponse
function http.post(url, opts) end

---The place that a reference names where it stands at a URL (RFC 3986, 5): `../x`, `?page=2`. Asks
---nobody, and never waits.
---@param base string a whole URL
---@param part string
---@return string
function http.url(base, part) end

---JSON text (RFC 8259).
---@class swarm.Json
local json = {}

---A value as JSON, with sorted keys. Raises `invalid_value{path}`.
---@param value any
---@return string
function json.encode(value) end

---JSON as a value; null is `swarm.null`. Raises `invalid_value`.
---@param text string
---@return any
function json.decode(text) end

---Lines for people, on stderr. They never wait.
---@class swarm.Log
local log = {}

---Shown with `--debug`.
---@param message any shown as `tostring` has it
---@param fields? table JSON-like
function log.debug(message, fields) end

---What goes on.
---@param message any shown as `tostring` has it
---@param fields? table JSON-like
function log.info(message, fields) end

---What somebody should look at.
---@param message any shown as `tostring` has it
---@param fields? table JSON-like
function log.warn(message, fields) end

---What went wrong.
---@param message any shown as `tostring` has it
---@param fields? table JSON-like
function log.error(message, fields) end

---What a header may be set to.
---@alias swarm.Header string|number|swarm.Secret

---What `http.request` is given.
---@class swarm.HttpRequest : swarm.HttpOptions
---@field url string http:// or https://
---@field method? string GET without a body, POST with one

---What `http.get` and `http.post` are given beside the URL.
---@class swarm.HttpOptions
---@field headers? table<string, swarm.Header|swarm.Header[]> a list for several of one name
---@field body? string bytes
---@field json? any a value sent as JSON; not beside `body`
---@field timeout? number seconds for the whole exchange: 30
---@field max_body? integer bytes of the answer's body: 16 MiB

---A program and its arguments, with options: { "git", "status", cwd = "src" }.
---@class swarm.ExecCommand
---@field [integer] string
---@field stdin? swarm.Input empty by default
---@field env? table<string, string|swarm.Secret> further variables
---@field cwd? string
---@field timeout? number seconds

---What `fs.stat` says of a path.
---@class swarm.Stat
---@field type "file"|"directory"|"other"
---@field size integer bytes
---@field mtime number Unix seconds
---@field mode integer permission bits

---An answer. It can be a value between workers; outside it is its four fields.
---@class swarm.HttpResponse
---@field status integer
---@field headers table<string, string> read without regard to case, listed in lower case
---@field body string bytes
---@field url string the last one, after redirects
local HttpResponse = {}

---The body read as JSON. Raises `invalid_value`.
---@return any
function HttpResponse:json() end

---`swarm.token`: what may be done with tokens.
---@class swarm.Token
local tokens = {}

---A token that may do less. Raises `bad_signature` for what is no token.
---@param token string
---@param caveats swarm.closed.Caveats
---@return string token
function tokens.attenuate(token, caveats) end

---Takes a use of a token, and says what it says. Raises `bad_signature`, `token_revoked`,
---`token_expired`, `token_not_found`, `role_violation`, `token_uses_exhausted` or
---`token_task_mismatch`, the first that applies.
---@param token string
---@param verb swarm.Verb
---@param task_id? string whose task it must be, or a task above that
---@return swarm.Claims
function tokens.verify(token, verb, task_id) end

---The path of the run's socket, for who has a token and is to use it (SWARM_SOCKET); nil where
---nobody can connect, as in specs.
---@return string?
function tokens.socket() end

---Makes a token worth nothing, and all that was made of it.
---@param token string
function tokens.revoke(token) end

---How a program of `swarm.exec` ended.
---@class swarm.ExecResult
---@field exit_code integer? nil where a signal ended it
---@field signal string? such as "SIGKILL"
---@field stdout string
---@field stderr string its last 1 MiB

---A file's content as a value. It cannot be changed.
---@class swarm.File
---@field path string
---@field mime string?

---What `swarm.secret` returns: nothing can be read from it.
---@class swarm.Secret

---`swarm.null`: true where a condition looks at it, so compare with `==`.
---@class swarm.Null
