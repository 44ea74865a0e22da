# bash completion for vm_syslog
_vm_syslog() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  COMPREPLY=()
  case $previous in
    --host) return ;;
    --socket) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    --user) return ;;
    --spool) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- "$current"); return ;;
    --spool-bytes) return ;;
    --memory-bytes) return ;;
    --flush-ms) return ;;
    --flush-bytes) return ;;
    --limit) return ;;
    --log-format) mapfile -t COMPREPLY < <(compgen -W 'text json' -- "$current"); return ;;
    --log-level) mapfile -t COMPREPLY < <(compgen -W 'error warn info debug' -- "$current"); return ;;
    --completion) mapfile -t COMPREPLY < <(compgen -W 'bash zsh' -- "$current"); return ;;
  esac
  if [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W '--host --socket --no-kernel --user --spool --spool-bytes --memory-bytes --flush-ms --flush-bytes --limit --log-format --log-level --completion --help --version' -- "$current")
  fi
}
complete -o default -F _vm_syslog vm_syslog
