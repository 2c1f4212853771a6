#compdef offhook
# Completion of offhook for zsh, of ./offhook too: as _offhook in a folder of fpath, or read after compinit.
_offhook() {
  local value words_of line="${words[1,CURRENT-1]} $PREFIX" program=${~words[1]}
  local -a found
  while IFS=$'\t' read -r value words_of; do
    [[ -n $value ]] && found+=("${${value//\\/\\\\}//:/\\:}${words_of:+:$words_of}")
  done < <(_OFFHOOK_COMPLETE=complete_fish _TYPER_COMPLETE_FISH_ACTION=get-args _TYPER_COMPLETE_ARGS=$line $program 2>/dev/null)
  [[ $PREFIX == --*=* ]] && compset -P '--*='
  if (( $#found )); then
    _describe offhook found
  else
    _files
  fi
}
if [[ $funcstack[1] == _offhook ]]; then _offhook "$@"; else compdef _offhook offhook; fi
