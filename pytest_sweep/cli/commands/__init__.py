"""One module for each sub-command: `configure` adds its arguments, `run` does it. `cli.main` imports only the one that is called."""
