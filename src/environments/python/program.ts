import { lambdaHandlerOf } from '../../contracts/index.ts'

/**
 * What Python runs of a package that is no function of ours: the module that the entry names as a program, or the package's own runtime
 * with it.
 */
export function pythonProgram(contract: string, entry: string): string[] {
  const [module = '', name] = entry.split(':')
  const file = `/function/${module.replace(/\.py$/, '').replaceAll('.', '/')}.py`
  switch (contract) {
    case 'lambda':
      // `app:handler` and `app.handler` are functions, `bootstrap` and `bootstrap:app.handler` a runtime.
      return (name === undefined ? module.endsWith('.py') || !module.includes('.') : name.includes('.'))
        ? [file]
        : ['-m', 'awslambdaric', lambdaHandlerOf(entry)]
    case 'functions-framework':
      return [
        '-m',
        'functions_framework',
        '--source',
        file,
        ...(name === undefined ? [] : ['--target', name]),
      ]
    case 'fn':
      // The kit's own command, whose file names an interpreter that may be elsewhere here.
      return name === undefined ? [file] : ['-c', 'from fdk.scripts.fdk import main; main()', file, name]
    default:
      return [file]
  }
}
