std = "lua54"
max_line_length = 120
unused_args = false
exclude_files = { "build/" }
files["tests/lua"] = { std = "+busted" }
