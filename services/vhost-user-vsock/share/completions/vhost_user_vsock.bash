# bash completion for vhost_user_vsock
_vhost_user_vsock() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  COMPREPLY=()
  case $previous in
    --guest-cid) return ;;
    --socket) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    --uds-path) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    --max-connections) return ;;
    --qmp) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    --lost-vm) mapfile -t COMPREPLY < <(compgen -W 'replug end' -- "$current"); return ;;
    --qmp-names) return ;;
    --log-format) mapfile -t COMPREPLY < <(compgen -W 'text json' -- "$current"); return ;;
    --log-level) mapfile -t COMPREPLY < <(compgen -W 'error warn info debug' -- "$current"); return ;;
    --completion) mapfile -t COMPREPLY < <(compgen -W 'bash zsh' -- "$current"); return ;;
  esac
  if [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W '--guest-cid --socket --uds-path --max-connections --qmp --lost-vm --qmp-names --log-format --log-level --completion --help --version' -- "$current")
  fi
}
complete -o default -F _vhost_user_vsock vhost_user_vsock
