# bash completion for sampled
_sampled() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  COMPREPLY=()
  case $previous in
    -r|--root) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- "$current"); return ;;
    --socket-gid) return ;;
    --uid-map) return ;;
    --mode) mapfile -t COMPREPLY < <(compgen -W 'fast safe' -- "$current"); return ;;
    --a-rather-long-option-name) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    --act) return ;;
    --log-format) mapfile -t COMPREPLY < <(compgen -W 'text json' -- "$current"); return ;;
    --log-level) mapfile -t COMPREPLY < <(compgen -W 'error warn info debug' -- "$current"); return ;;
    --completion) mapfile -t COMPREPLY < <(compgen -W 'bash zsh' -- "$current"); return ;;
  esac
  if [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W '--root --read-only --socket-gid --uid-map --mode --a-rather-long-option-name --act --log-format --log-level --completion --help --version' -- "$current")
  else
    mapfile -t COMPREPLY < <(compgen -W 'unix: tcp:' -- "$current")
    compopt -o nospace 2>/dev/null
  fi
}
complete -o default -F _sampled sampled
