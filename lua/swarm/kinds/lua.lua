-- Kind `lua`: a function of the script, run in this VM.
return {
  fields = { run = "function" },
  held_open = true,
  ---@param def table the checked definition
  ---@return function run called as run(ctx, input)
  start = function(def)
    return def.run
  end,
}
