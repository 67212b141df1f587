"""The command `ecotone`. `main.run_command` is its whole life: parse, do, say what happened, exit status.

Exit status: 0 done; 1 the thing asked for failed; 2 the input was wrong; 130 interrupted before there was a result.
"""
