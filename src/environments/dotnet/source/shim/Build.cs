using System;
using System.Collections.Generic;
using System.IO;
using System.Reflection;

namespace Atelier.Shim
{
    /// <summary>The build's last step: compiles sources and looks for the entry. Nothing of the code runs.</summary>
    internal static class Build
    {
        /// <summary>0 where the package can run. `project`: an assembly that other tools have made, relative to the folder.</summary>
        internal static int Run(string folder, string entry, string project)
        {
            Directory.CreateDirectory(Path.Combine(folder, Code.Built));
            if (project != null)
            {
                if (!File.Exists(Path.Combine(folder, project))) return Refuse("The project has not made " + project + ".");
                File.WriteAllText(Path.Combine(folder, Code.Built, "project"), project);
            }
            string asking = project == null ? Asking(folder) : null;
            if (asking != null)
                return Refuse(asking + " asks for packages of NuGet, which need the SDK of .NET on the server, and here is "
                    + Instance.Runtime() + ": bring their libraries in the folder lib, and take the references out.");
            IList<string> sources = project == null ? Compiler.Sources(folder) : new string[0];
            if (sources.Count > 0)
            {
                string said;
                bool compiled = Compiler.Compile(folder, sources, Path.Combine(folder, Code.Built, Code.FileName), out said);
                (compiled ? Console.Out : Console.Error).Write(said);
                if (!compiled) return 1;
                Console.WriteLine(sources.Count + (sources.Count == 1 ? " source file is" : " source files are") + " compiled");
            }
            try
            {
                MethodInfo found = Handler.Find(Code.Load(folder), entry);
                Console.WriteLine("the handler is " + found.ReflectedType.FullName + "." + found.Name);
                return 0;
            }
            catch (ArgumentException wrong)
            {
                return Refuse(wrong.Message);
            }
            catch (Exception wrong)
            {
                if (!(wrong is FileNotFoundException || wrong is TypeLoadException || wrong is BadImageFormatException || wrong is FileLoadException)) throw;
                return Refuse("The class of the entry " + entry + " cannot be loaded: " + wrong.Message
                    + "\nAn assembly that it needs is not in the package, or is made for another .NET: add it to lib.");
            }
        }

        /// <summary>A project that is not complete without NuGet.</summary>
        private static string Asking(string folder)
        {
            foreach (string file in Directory.GetFiles(folder, "*.csproj"))
                if (File.ReadAllText(file).Contains("<PackageReference")) return Path.GetFileName(file);
            return null;
        }

        private static int Refuse(string message)
        {
            Console.Error.WriteLine(message);
            return 1;
        }
    }
}
