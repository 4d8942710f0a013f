using System;
using System.Collections.Generic;
using System.IO;
using System.Reflection;

namespace Atelier.Shim
{
    /// <summary>Where the assemblies of a package are.</summary>
    internal static class Code
    {
        /// <summary>Folder that the build fills.</summary>
        internal const string Built = ".atelier";
        internal const string FileName = "function.dll";
        private static readonly string[] Folders = { Built, Built + "/publish", "", "lib" };

        /// <summary>
        /// The assemblies that may hold the entry. Sources that were not built (as with `atelier dev`) are compiled for this process.
        /// </summary>
        internal static IList<Assembly> Load(string folder)
        {
            string made = Path.Combine(folder, Built, FileName);
            if (!File.Exists(made) && Compiler.Sources(folder).Count > 0) made = Compiler.CompileAside(folder);
            Resolve(folder);
            if (File.Exists(made)) return new[] { Assembly.LoadFrom(made) };
            var found = new List<Assembly>();
            string project = Path.Combine(folder, Built, "project");
            foreach (string each in File.Exists(project) ? new[] { File.ReadAllText(project).Trim() } : Libraries(folder))
                found.Add(Assembly.LoadFrom(Path.Combine(folder, each)));
            return found;
        }

        /// <summary>Every library that the package brings, by full path, tests' and our own left out.</summary>
        internal static IList<string> Libraries(string folder)
        {
            var found = new List<string>();
            foreach (string each in new[] { folder, Path.Combine(folder, "lib") })
            {
                if (!Directory.Exists(each)) continue;
                foreach (string file in Directory.GetFiles(each, "*.dll"))
                    if (Path.GetFileName(file) != "Atelier.dll" && IsManaged(file)) found.Add(file);
            }
            found.Sort(string.CompareOrdinal);
            return found;
        }

        /// <summary>Assemblies that the code needs are looked for beside it.</summary>
        internal static void Resolve(string folder)
        {
            AppDomain.CurrentDomain.AssemblyResolve += (any, wanted) =>
            {
                string name = new AssemblyName(wanted.Name).Name;
                if (name == "Atelier") return typeof(Code).Assembly;
                foreach (string each in Folders)
                {
                    string file = Path.Combine(folder, each, name + ".dll");
                    if (File.Exists(file)) return Assembly.LoadFrom(file);
                }
                return null;
            };
        }

        /// <summary>A library in lib may be native code too.</summary>
        private static bool IsManaged(string file)
        {
            try
            {
                AssemblyName.GetAssemblyName(file);
                return true;
            }
            catch (BadImageFormatException)
            {
                return false;
            }
        }
    }
}
