#compdef sampled
# zsh completion for sampled
_sampled() {
  _arguments -s -S \
    '(-r --root)''-r+[the directory]:DIR:_files -/' \
    '(-r --root)''--root=[the directory]:DIR:_files -/' \
    '--read-only[refuse changes]' \
    '--socket-gid=[the socket'\''s group \[numeric\]]:GID: ' \
    '*''--uid-map=[what a client sees as a user]:HOST\:CLIENT: ' \
    '--mode=[how]:MODE:(fast safe)' \
    '--a-rather-long-option-name=[has its text on the next line]:VALUE:_files' \
    '--act=[for the tests]:WHAT: ' \
    '--log-format=[how log lines are written to standard error\: text or json]:FORMAT:(text json)' \
    '--log-level=[the least that is logged\: error, warn, info or debug]:LEVEL:(error warn info debug)' \
    '--completion=[print completion for bash or zsh and exit]:SHELL:(bash zsh)' \
    '(-h --help)''-h[print this text and exit]' \
    '(-h --help)''--help[print this text and exit]' \
    '--version[print the version and exit]' \
    ':LISTEN:(unix\: tcp\:)' \
    '*:OTHERS:()' \
    && return 0
}
# Found in $fpath this file is the body of the function; sourced it only declares it.
if [[ $funcstack[1] == _sampled ]]; then
  _sampled "$@"
else
  compdef _sampled sampled
fi
