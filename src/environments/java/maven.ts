/** Where builds see `maven/`: settings of ours in the place of the machine's, which may hold passwords. */
export const MAVEN_CONF_TARGET = '/opt/atelier/maven'
export const API_VERSION = '1'

export const API_POM = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>atelier</groupId>
  <artifactId>atelier-api</artifactId>
  <version>${API_VERSION}</version>
</project>
`

/**
 * Packages the project and copies what it needs at run time beside it. Maven is started without its shell script, which reads
 * settings below /etc. Tests do not run: they belong to the author's machine.
 */
export function mavenCommand(javaHome: string, mavenHome: string, made: string): string[] {
  const maven = [
    `exec "${javaHome}/bin/java" -Xmx512m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC`,
    `-cp "$(echo "${mavenHome}"/boot/plexus-classworlds*.jar)"`,
    `"-Dclassworlds.conf=${MAVEN_CONF_TARGET}/m2.conf" "-Dmaven.home=${mavenHome}"`,
    '-Dmaven.multiModuleProjectDirectory=/work -Dmaven.repo.local=/cache/m2',
    'org.codehaus.plexus.classworlds.launcher.Launcher "$@"',
  ].join(' ')
  return [
    '/bin/sh',
    '-c',
    maven,
    'mvn',
    '--batch-mode',
    '--no-transfer-progress',
    '--quiet',
    `--global-settings=${MAVEN_CONF_TARGET}/settings.xml`,
    `--settings=${MAVEN_CONF_TARGET}/settings.xml`,
    '-Dstyle.color=never',
    `-Datelier.repository=file://${made}/repository`,
    '-Dmaven.test.skip=true',
    '-DincludeScope=runtime',
    '-DoutputDirectory=lib',
    'package',
    'dependency:copy-dependencies',
  ]
}
