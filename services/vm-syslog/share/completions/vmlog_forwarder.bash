# bash completion for vmlog_forwarder
_vmlog_forwarder() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  COMPREPLY=()
  case $previous in
    --log-destination) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- "$current"); return ;;
    --syslog-socket) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    --listen) return ;;
    --vm) return ;;
    --control) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    --max-file-bytes) return ;;
    --keep) return ;;
    --limit) return ;;
    --sync) return ;;
    --log-format) mapfile -t COMPREPLY < <(compgen -W 'text json' -- "$current"); return ;;
    --log-level) mapfile -t COMPREPLY < <(compgen -W 'error warn info debug' -- "$current"); return ;;
    --completion) mapfile -t COMPREPLY < <(compgen -W 'bash zsh' -- "$current"); return ;;
  esac
  if [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W '--log-destination --syslog --syslog-socket --listen --vm --control --max-file-bytes --keep --gzip --limit --sync --log-format --log-level --completion --help --version' -- "$current")
  fi
}
complete -o default -F _vmlog_forwarder vmlog_forwarder
