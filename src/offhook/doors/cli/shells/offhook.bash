# Completion of offhook for bash 4.4 and later, of ./offhook too.
_offhook() {
  local line=${COMP_LINE:0:COMP_POINT} program=${1/#\~/$HOME} within=${COMP_WORDS[COMP_CWORD]:0:1}
  local breaks=${COMP_WORDBREAKS//[[:space:]\"\']/} word prefix value _
  word=${line##*[[:space:]]}
  [[ $word == --*=* ]] && word=${word#*=}
  # Bash takes what stands before a : or = for another word and leaves it there, so it must not be told again.
  prefix=${word%"${word##*["$breaks"]}"}
  COMPREPLY=()
  while IFS=$'\t' read -r value _; do
    [[ -n $value ]] || continue
    case $within in
      [\"\']) COMPREPLY+=("$value") ;;
      *) COMPREPLY+=("$(printf %q "${value#"$prefix"}")") ;;
    esac
  done < <(
    _OFFHOOK_COMPLETE=complete_fish _TYPER_COMPLETE_FISH_ACTION=get-args _TYPER_COMPLETE_ARGS=$line "$program" 2>/dev/null
  )
}
complete -o bashdefault -o default -F _offhook offhook
