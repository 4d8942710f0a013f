using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Text;

namespace Atelier.Shim
{
    /// <summary>Source files to an assembly, by the toolchain that the shim was made with.</summary>
    internal static class Compiler
    {
        private static readonly string[] Skipped = { "bin", "obj", "test", "tests", "node_modules", "lib" };

        /// <summary>Every source file of a package, tests left out, relative to its folder.</summary>
        internal static IList<string> Sources(string folder)
        {
            var found = new List<string>();
            Collect(folder, "", found);
            found.Sort(string.CompareOrdinal);
            return found;
        }

        private static void Collect(string folder, string below, List<string> found)
        {
            var info = new DirectoryInfo(Path.Combine(folder, below));
            foreach (FileInfo file in info.GetFiles("*.cs"))
                if (file.Name.EndsWith(".cs", StringComparison.Ordinal)) found.Add(Path.Combine(below, file.Name));
            foreach (DirectoryInfo each in info.GetDirectories())
            {
                bool link = (each.Attributes & FileAttributes.ReparsePoint) != 0;
                if (link || each.Name[0] == '.' || Array.IndexOf(Skipped, each.Name.ToLowerInvariant()) >= 0) continue;
                Collect(folder, Path.Combine(below, each.Name), found);
            }
        }

        /// <summary>Compiles into `target`. What the compiler said is in `said`; false when it found errors.</summary>
        internal static bool Compile(string folder, IList<string> sources, string target, out string said)
        {
            string own = typeof(Compiler).Assembly.Location;
            string beside = Path.GetDirectoryName(own);
            // `compiler` has the program and its arguments, a line for each.
            var command = new List<string>(File.ReadAllLines(Path.Combine(beside, "compiler")));
            command.Add("@" + Path.Combine(beside, "options.rsp"));
            var options = new StringBuilder("-nologo\n-target:library\n-optimize+\n-codepage:65001\n");
            options.Append("-out:").Append(Quoted(target)).Append('\n');
            options.Append("-r:").Append(Quoted(own)).Append('\n');
            foreach (string each in Code.Libraries(folder)) options.Append("-r:").Append(Quoted(each)).Append('\n');
            foreach (string each in sources) options.Append(Quoted("./" + each)).Append('\n');
            string file = target + ".rsp";
            File.WriteAllText(file, options.ToString());
            try
            {
                command.Add("@" + file);
                return Run(command, folder, out said);
            }
            finally
            {
                File.Delete(file);
            }
        }

        /// <summary>For this process alone. What the compiler says of errors is the message of the exception.</summary>
        internal static string CompileAside(string folder)
        {
            string aside = Path.Combine(Path.GetTempPath(), "atelier-" + Guid.NewGuid().ToString("N"));
            Directory.CreateDirectory(aside);
            string target = Path.Combine(aside, Code.FileName);
            string said;
            if (!Compile(folder, Sources(folder), target, out said)) throw new ArgumentException(said.Trim());
            return target;
        }

        private static string Quoted(string path)
        {
            if (path.IndexOf('"') >= 0 || path.IndexOf('\n') >= 0) throw new ArgumentException("The name of the file " + path + " cannot be given to the compiler.");
            return "\"" + path + "\"";
        }

        private static bool Run(IList<string> command, string folder, out string said)
        {
            var arguments = new StringBuilder();
            for (int i = 1; i < command.Count; i++) arguments.Append(Quoted(command[i])).Append(' ');
            var start = new ProcessStartInfo(command[0], arguments.ToString())
            {
                UseShellExecute = false, WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true,
            };
            var lines = new StringBuilder();
            using (Process compiler = Process.Start(start))
            {
                compiler.OutputDataReceived += (any, line) => Add(lines, line.Data);
                compiler.ErrorDataReceived += (any, line) => Add(lines, line.Data);
                compiler.BeginOutputReadLine();
                compiler.BeginErrorReadLine();
                compiler.WaitForExit();
                said = lines.ToString();
                return compiler.ExitCode == 0;
            }
        }

        private static void Add(StringBuilder lines, string line)
        {
            if (line == null) return;
            lock (lines) lines.Append(line).Append('\n');
        }
    }
}
