import { usage } from '../failure.ts'
import type { CommandSpec } from '../spec.ts'

/** Each script only asks `atelier __complete` for the words that fit, so it never has to change. */
const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `_atelier() {
  local IFS=$'\\n'
  local words
  words=$(atelier __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
  [[ \${#COMPREPLY[@]} -eq 0 ]] && compopt -o default
}
complete -F _atelier atelier`,
  zsh: `#compdef atelier
_atelier() {
  local -a found
  found=("\${(@f)$(atelier __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "\${found[*]}" ]]; then compadd -- "\${found[@]}"; else _files; fi
}
compdef _atelier atelier`,
  fish: `function __atelier_complete
  set -l words (commandline -opc) (commandline -ct)
  atelier __complete -- $words[2..-1] 2>/dev/null
end
complete -c atelier -a '(__atelier_complete)'`,
}

export const completion: CommandSpec = {
  name: 'completion',
  summary: 'Print a completion script for your shell',
  details:
    'Completes commands, options, and the names of your functions, apps, triggers, topics, secrets and projects.',
  args: [{ syntax: '<shell>', help: 'bash, zsh or fish' }],
  examples: [
    ['eval "$(atelier completion bash)"', 'in ~/.bashrc'],
    ['eval "$(atelier completion zsh)"', 'in ~/.zshrc, after compinit'],
    ['atelier completion fish > ~/.config/fish/completions/atelier.fish', 'for fish'],
  ],
  async run({ context, args }) {
    const script = Object.hasOwn(SCRIPTS, args[0]!) ? SCRIPTS[args[0]!] : undefined
    if (script === undefined)
      throw usage(
        `there is no completion for ${JSON.stringify(args[0])}`,
        `There is one for ${Object.keys(SCRIPTS).join(', ')}.`,
      )
    context.print(script)
  },
}
