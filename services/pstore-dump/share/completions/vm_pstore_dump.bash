# bash completion for vm_pstore_dump
_vm_pstore_dump() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  COMPREPLY=()
  case $previous in
    -f|--file) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    --layout) return ;;
    --cmdline) return ;;
    --symbols) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    --extract) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- "$current"); return ;;
    --log-format) mapfile -t COMPREPLY < <(compgen -W 'text json' -- "$current"); return ;;
    --log-level) mapfile -t COMPREPLY < <(compgen -W 'error warn info debug' -- "$current"); return ;;
    --completion) mapfile -t COMPREPLY < <(compgen -W 'bash zsh' -- "$current"); return ;;
  esac
  if [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W '--file --dmesg --pmsg --ftrace --all --json --layout --cmdline --symbols --extract --follow --system --raw --log-format --log-level --completion --help --version' -- "$current")
  fi
}
complete -o default -F _vm_pstore_dump vm_pstore_dump
