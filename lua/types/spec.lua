---@meta _
-- luacheck: ignore 111 112 113 121 122 131 142 211 212 241

-- What spec files have besides (`swarm-host test`): busted's words, a virtual clock, stand-ins, and
-- the script under test. For language servers: nothing here runs. See swarm.lua.

---Groups specs; may be nested. At the top of a file or in another describe, else `load_error`.
---@param name string
---@param fn fun()
function describe(name, fn) end

---One spec: it passes unless `fn` raises. Without `fn` it is pending. The second of one name gets
---a number.
---@param name string
---@param fn? fun(ctx: swarm.Ctx)
function it(name, fn) end

---A spec that is not run; inside an `it`, that this one ends here and counts as pending.
---@param name string
---@param fn? fun(ctx: swarm.Ctx)
function pending(name, fn) end

---`describe`, as busted has it too.
---@param name string
---@param fn fun()
function context(name, fn) end

---`describe`: each spec has a host of its own anyway.
---@param name string|fun()
---@param fn? fun()
function insulate(name, fn) end

---`describe`.
---@param name string|fun()
---@param fn? fun()
function expose(name, fn) end

---`it`.
---@param name string
---@param fn? fun(ctx: swarm.Ctx)
function spec(name, fn) end

---`it`.
---@param name string
---@param fn? fun(ctx: swarm.Ctx)
function test(name, fn) end

---Runs once before the specs; here each has a host of its own, so before each, ahead of every
---`before_each`.
---@param fn fun(ctx: swarm.Ctx)
function setup(fn) end

---`setup`.
---@param fn fun(ctx: swarm.Ctx)
function lazy_setup(fn) end

---`setup`.
---@param fn fun(ctx: swarm.Ctx)
function strict_setup(fn) end

---Runs after all else of a spec.
---@param fn fun(ctx: swarm.Ctx)
function teardown(fn) end

---`teardown`.
---@param fn fun(ctx: swarm.Ctx)
function lazy_teardown(fn) end

---`teardown`.
---@param fn fun(ctx: swarm.Ctx)
function strict_teardown(fn) end

---Inside an `it`: what is done when it has ended, however it ends.
---@param fn fun(ctx: swarm.Ctx)
function finally(fn) end

---Runs before each spec of the describe or file.
---@param fn fun(ctx: swarm.Ctx)
function before_each(fn) end

---Runs after each spec of the describe or file, whatever happened; shielded.
---@param fn fun(ctx: swarm.Ctx)
function after_each(fn) end

---Runs a small program once for each order in which its workers can take their turns. Raises
---`exploration_failed{schedule, schedules, failure, steps}` where an order fails.
---@param fn swarm.Run
---@param opts? swarm.closed.ExploreOptions
---@return swarm.Exploration
function explore(fn, opts) end

---Options of `explore`.
---@class swarm.ExploreOptions
---@field max? integer how many orders at most: 10,000
---@field check? fun() called after each step; raising fails the order
---@field schedule? string what a failure showed, such as "1.3.2": that order alone
---@field seed? integer orders are drawn, the same for the same seed

---What `explore` returns: `tostring` of it is one sentence.
---@class swarm.Exploration
---@field schedules integer how many orders were tried
---@field steps integer how many turns they took, together
---@field complete boolean whether these were all
---@field schedule string? what was replayed
---@field seed integer? what they were drawn with

---Busted's spies: functions that remember their calls. `assert.spy(s).was.called_with(…)`.
---@class swarm.Spies
---@field new fun(fn?: function): any
---@field on fun(object: table, key: any): any puts one in the place of a function of a table
---@field is_spy fun(value: any): boolean
spy = {}

---Spies that answer what they are told to.
---@class swarm.Stubs
---@field new fun(object?: table, key?: any, ...: any): any
---@overload fun(object: table, key: any, ...: any): any
stub = {}

---Stand for a value among those of a call: `match.is_table()`, `match._`.
---@class swarm.Matchers
---@field [string] any
match = {}

---The run's clock, which stands still while anybody can run and jumps where all wait.
---@class swarm.Clock
clock = {}

---Moves the clock on, timer by timer: what is due until then runs first.
---@param seconds number zero or more
function clock.advance(seconds) end

---Stand-ins, for one `it`; at the top of a file for each. Called, it is busted's: spies in the
---places of the functions of a table, and of the tables in it; stubs where the second argument says
---so.
---@class swarm.Mock
---@overload fun(object: table, is_stub?: boolean): table
mock = {}

---`fn` runs in place of what a worker runs; all that is around it stays. Raises `not_registered`.
---@param name string
---@param fn swarm.Run
---@return swarm.WorkerMock
function mock.worker(name, fn) end

---`fn` answers in place of a port of the host with a value and bytes; what it raises is the port's
---error. Raises `host_error` where there is no such port.
---@param name string such as "http", "files", "process", "env"
---@param fn fun(payload: any, data: string?, emit: fun(event: any, data?: string)): any, string?
function mock.port(name, fn) end

---`fn` answers in place of every program: it gets the words of the command and what the program is
---given, and returns its standard output, or a table; nothing: it ended well.
---@param fn fun(command: string[], given: swarm.MockedInput): string|swarm.MockedOutput|nil
---@return swarm.ExecMock
function mock.exec(fn) end

---Files that are there in place of all others: content by path, tables for folders.
---@param tree table<string, string|table>
---@return swarm.FsMock
function mock.fs(tree) end

---What a program is given, in `mock.exec`.
---@class swarm.MockedInput
---@field stdin string
---@field env table<string, string>
---@field cwd string?

---What a program did, in `mock.exec`.
---@class swarm.MockedOutput
---@field exit_code? integer 0 by itself
---@field signal? string such as "SIGTERM"
---@field stdout? string
---@field stderr? string
---@field path? string the file, where the output is to be one

---What `mock.exec` returns.
---@class swarm.ExecMock
---@field calls string[][] the commands in order

---What `mock.fs` returns.
---@class swarm.FsMock
---@field files table<string, string|true> content by path; `true` for a folder

---What `mock.worker` returns.
---@class swarm.WorkerMock
---@field calls any[] the inputs in order; `swarm.null` for none

---Loads the script under test, as a run would: anew for each `it`. Raises its load error.
---@param path string relative to the spec file
---@return swarm.Script
function swarm.script(path) end

---The script under test.
---@class swarm.Script
local Script = {}

---Runs its `main`; returns and raises as `swarm.result`. Raises `load_error` where it has none.
---@param args? string[]
---@param input? any a JSON-like value
---@return any value
---@return swarm.Error? blocked
function Script:run(args, input) end

---As `swarm.spawn`; names are the script's, then the spec file's.
---@param name string|swarm.Run
---@param input? any
---@param opts? swarm.closed.SpawnOptions
---@return swarm.Handle
function Script:spawn(name, input, opts) end

---As `swarm.call`; names are the script's, then the spec file's.
---@param name string|swarm.Run
---@param input? any
---@param opts? swarm.closed.SpawnOptions
---@return any value
---@return swarm.Error? blocked
function Script:call(name, input, opts) end

---Lua's own `assert`, with assertions as its fields. What is expected comes first; each takes a
---note as its last argument. A failure raises `assertion_failed`, at the spec's line.
---@class swarm.Assert
---@field are swarm.Assert itself, as in `assert.are.same`
---@field is swarm.Assert itself
---@field has swarm.Assert itself
---@field [string] any the same in busted's other spellings, such as `is_not_equal` and `has.errors`
---@overload fun(value: any, message?: any, ...: any): any, any, ...
assert = {}

---`==`.
---@param wanted any
---@param actual any
---@param note? any
function assert.equal(wanted, actual, note) end

---Not `==`.
---@param unwanted any
---@param actual any
---@param note? any
function assert.not_equal(unwanted, actual, note) end

---Tables are compared by what they hold.
---@param wanted any
---@param actual any
---@param note? any
function assert.same(wanted, actual, note) end

---Tables are compared by what they hold.
---@param unwanted any
---@param actual any
---@param note? any
function assert.not_same(unwanted, actual, note) end

---`true` itself.
---@param actual any
---@param note? any
function assert.is_true(actual, note) end

---`false` itself.
---@param actual any
---@param note? any
function assert.is_false(actual, note) end

---nil.
---@param actual any
---@param note? any
function assert.is_nil(actual, note) end

---Anything but nil.
---@param actual any
---@param note? any
function assert.is_not_nil(actual, note) end

---Anything but nil and false.
---@param actual any
---@param note? any
function assert.truthy(actual, note) end

---nil or false.
---@param actual any
---@param note? any
function assert.falsy(actual, note) end

---Two numbers that are no further apart than `tolerance`.
---@param wanted number
---@param actual any
---@param tolerance number how far apart they may be
---@param note? any
function assert.near(wanted, actual, tolerance, note) end

---Text that a Lua pattern is found in.
---@param pattern string a Lua pattern
---@param actual any
---@param note? any
function assert.matches(pattern, actual, note) end

---`fn` must raise. Returns the error.
---@param fn fun()
---@param wanted? string|table text in the error, or fields that it has
---@param note? any
---@return any err
function assert.has_error(fn, wanted, note) end

---`fn` must not raise.
---@param fn fun()
---@param note? any
function assert.has_no_error(fn, note) end
