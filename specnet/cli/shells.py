"""The scripts by which bash, zsh and fish ask what can follow on a command line."""

VARIABLE = "_SPECNET_COMPLETE"
"""The environment variable with the name of the shell that asks; the only argument is the line up to the cursor."""

SCRIPTS = {
    "bash": """\
_specnet() {
    local IFS=$'\\n'
    COMPREPLY=($(COMP_WORDBREAKS=$COMP_WORDBREAKS _SPECNET_COMPLETE=bash "$1" "${COMP_LINE:0:COMP_POINT}" 2>/dev/null))
    case ${COMPREPLY[0]} in *[=./]) compopt -o nospace ;; esac
}
complete -o default -F _specnet specnet
# To keep it: echo 'eval "$(specnet --completion bash)"' >> ~/.bashrc""",
    "zsh": """\
#compdef specnet
_specnet() {
    local line
    local -a open closed
    for line in "${(@f)$(_SPECNET_COMPLETE=zsh ${words[1]} "${(j: :)words[1,CURRENT-1]} $PREFIX" 2>/dev/null)}"; do
        case ${line%%$'\\t'*} in
            '') ;;
            *[=./]) open+=("${${line%%$'\\t'*}//:/\\\\:}:${line#*$'\\t'}") ;;
            *) closed+=("${${line%%$'\\t'*}//:/\\\\:}:${line#*$'\\t'}") ;;
        esac
    done
    if (( ! $#open && ! $#closed )); then
        _files
        return
    fi
    (( $#closed )) && _describe specnet closed
    (( $#open )) && _describe specnet open -S ''
}
compdef _specnet specnet
# To keep it: echo 'eval "$(specnet --completion zsh)"' >> ~/.zshrc, below compinit""",
    "fish": """\
function __specnet_complete
    set -l line (commandline --cut-at-cursor --current-process | string collect)
    set -l found (_SPECNET_COMPLETE=fish command specnet $line 2>/dev/null)
    if set -q found[1]
        printf '%s\\n' $found
    else
        __fish_complete_path (commandline --current-token)
    end
end
complete --command specnet --no-files --arguments '(__specnet_complete)'
# To keep it: specnet --completion fish > ~/.config/fish/completions/specnet.fish""",
}
"""For each shell the text that it has to read."""
