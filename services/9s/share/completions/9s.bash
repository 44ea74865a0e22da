# bash completion for 9s
_9s() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  COMPREPLY=()
  case $previous in
    -r|--root) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- "$current"); return ;;
    --export) return ;;
    --uid-map) return ;;
    --gid-map) return ;;
    --squash) return ;;
    --accept-cid) return ;;
    --socket-gid) return ;;
    --msize) return ;;
    --max-connections) return ;;
    --threads) return ;;
    --sandbox) mapfile -t COMPREPLY < <(compgen -W 'auto require off' -- "$current"); return ;;
    --log-format) mapfile -t COMPREPLY < <(compgen -W 'text json' -- "$current"); return ;;
    --log-level) mapfile -t COMPREPLY < <(compgen -W 'error warn info debug' -- "$current"); return ;;
    --completion) mapfile -t COMPREPLY < <(compgen -W 'bash zsh' -- "$current"); return ;;
  esac
  if [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W '--root --export --read-only --uid-map --gid-map --squash --act-as-user --ignore-case --accept-cid --socket-gid --msize --max-connections --threads --device-nodes --sandbox --insecure-listen --log-format --log-level --completion --help --version' -- "$current")
  else
    mapfile -t COMPREPLY < <(compgen -W 'vsock: unix: unix-abstract: unix-fd: tcp:' -- "$current")
    compopt -o nospace 2>/dev/null
  fi
}
complete -o default -F _9s 9s
