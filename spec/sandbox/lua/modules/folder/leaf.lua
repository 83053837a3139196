return "beside init"
