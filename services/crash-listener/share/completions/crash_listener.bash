# bash completion for crash_listener
_crash_listener() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  COMPREPLY=()
  case $previous in
    --consent) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    --directory) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- "$current"); return ;;
    --accept-cid) return ;;
    --max-reports) return ;;
    --log-format) mapfile -t COMPREPLY < <(compgen -W 'text json' -- "$current"); return ;;
    --log-level) mapfile -t COMPREPLY < <(compgen -W 'error warn info debug' -- "$current"); return ;;
    --completion) mapfile -t COMPREPLY < <(compgen -W 'bash zsh' -- "$current"); return ;;
  esac
  if [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W '--consent --directory --per-vm --accept-cid --max-reports --log-format --log-level --completion --help --version' -- "$current")
  else
    mapfile -t COMPREPLY < <(compgen -W 'vsock::' -- "$current")
    compopt -o nospace 2>/dev/null
  fi
}
complete -o default -F _crash_listener crash_listener
