# Completion of offhook for fish, of ./offhook too.
function __offhook_values
    set -l before (commandline -ct | string match -r -- '^--[^=]*=')
    set -lx _OFFHOOK_COMPLETE complete_fish
    set -lx _TYPER_COMPLETE_FISH_ACTION get-args
    set -lx _TYPER_COMPLETE_ARGS (commandline -cp)
    set -l program (commandline -opc)[1]
    set -l found (eval (string escape -- $program) 2>/dev/null | string match -rv '^$')
    if test (count $found) -gt 0
        printf "$before%s\n" $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c offhook -f -a '(__offhook_values)'
