using System;
using System.Collections.Generic;
using System.IO;
using System.Reflection;
using System.Threading.Tasks;
using Fission.DotNetCore.Api;

namespace Atelier.Shim
{
    /// <summary>The method that answers calls, found by the rules in docs/environments.md.</summary>
    internal sealed class Handler
    {
        private static readonly string[] Conventions = { "plain", "fission" };
        private static readonly string[] Names = { "Handle", "HandleAsync", "FunctionHandler", "Execute" };
        private static readonly string[] Classes = { "Function", "Handler", "FissionFunction", "Main", "App" };

        private readonly MethodInfo method;
        private readonly ParameterInfo[] parameters;
        private readonly object target;

        private Handler(MethodInfo method, object target)
        {
            this.method = method;
            this.target = target;
            parameters = method.GetParameters();
        }

        /// <summary>Loads the entry's class and makes its object. Throws with a sentence for the author.</summary>
        internal static Handler Load(IList<Assembly> code, string entry)
        {
            MethodInfo method = Find(code, entry);
            if (method.IsStatic) return new Handler(method, null);
            ConstructorInfo constructor = method.ReflectedType.GetConstructor(Type.EmptyTypes);
            if (constructor == null)
                throw new ArgumentException(method.ReflectedType.FullName + " has no public constructor without parameters.");
            return new Handler(method, constructor.Invoke(null));
        }

        /// <summary>The same without running anything of the code.</summary>
        internal static MethodInfo Find(IList<Assembly> code, string entry)
        {
            string[] parts = Split(entry);
            Type type = ClassOf(code, parts[0], entry);
            string wanted = parts.Length > 1 && parts[1] != "" ? parts[1] : null;
            bool fission = parts.Length > 2 && parts[2] == "fission";
            var found = new List<MethodInfo>();
            foreach (string name in wanted == null ? Names : new[] { wanted })
            {
                foreach (MethodInfo each in type.GetMethods())
                    if (each.Name == name && Fits(each) && (!fission || TakesFission(each))) found.Add(each);
                if (found.Count > 0) break;
            }
            if (found.Count == 1) return found[0];
            if (found.Count > 1)
                throw new ArgumentException(type.FullName + " has " + found.Count + " methods " + found[0].Name + " that could be the handler: give one of them another name.");
            throw new ArgumentException(type.FullName + " has no handler: it needs a public method " + (wanted ?? Names[0])
                + "(Request request, Context context); either or both may be missing, and string, byte[] or Stream gets the body." + Others(type));
        }

        internal object Handle(Request request, Context context)
        {
            var arguments = new object[parameters.Length];
            for (int i = 0; i < arguments.Length; i++) arguments[i] = Argument(parameters[i].ParameterType, request, context);
            object result = method.Invoke(target, arguments);
            var task = result as Task;
            if (task == null) return result == null || !result.GetType().FullName.StartsWith("System.Threading.Tasks.ValueTask", StringComparison.Ordinal)
                ? result : ResultOf((Task)result.GetType().GetMethod("AsTask").Invoke(result, null));
            return ResultOf(task);
        }

        private static object Argument(Type type, Request request, Context context)
        {
            if (type == typeof(Request)) return request;
            if (type == typeof(Context)) return context;
            if (type == typeof(string)) return request.Text();
            if (type == typeof(byte[])) return request.Body();
            return type == typeof(Stream) ? (object)request.Stream : new FissionContext(request, context);
        }

        private static object ResultOf(Task task)
        {
            task.GetAwaiter().GetResult();
            // A task of nothing has a result too, of a type that nobody else has.
            PropertyInfo result = task.GetType().GetProperty("Result");
            return result == null || result.PropertyType.Name == "VoidTaskResult" ? null : result.GetValue(task, null);
        }

        /// <summary>`Class`, `Class:Method`, `Class:Method:convention`, or as AWS writes it, `Assembly::Class::Method`.</summary>
        private static string[] Split(string entry)
        {
            string[] aws = entry.Split(new[] { "::" }, StringSplitOptions.None);
            if (aws.Length == 3) return new[] { aws[1], aws[2] };
            string[] parts = entry.Split(':');
            if (parts.Length > 3 || parts[0] == "")
                throw new ArgumentException("The entry \"" + entry + "\" is not of the form Class:Method:convention.");
            if (parts.Length == 3 && Array.IndexOf(Conventions, parts[2]) < 0)
                throw new ArgumentException("There is no convention \"" + parts[2] + "\" (in the entry " + entry + "): use "
                    + string.Join(", ", Conventions) + ".");
            return parts;
        }

        /// <summary>By its full name, or by the last part of it. An entry that is a file stands for the first class with a known name.</summary>
        private static Type ClassOf(IList<Assembly> code, string name, string entry)
        {
            bool file = name.EndsWith(".cs", StringComparison.Ordinal) || name.EndsWith(".dll", StringComparison.Ordinal);
            string stem = file ? Path.GetFileNameWithoutExtension(name) : name;
            var found = new List<Type>();
            foreach (Assembly each in code)
                foreach (Type type in TypesOf(each))
                    if (type.FullName == stem || type.Name == stem && !type.IsNested) found.Add(type);
            Type exact = found.Find(type => type.FullName == stem) ?? (found.Count == 1 ? found[0] : null);
            if (exact != null) return exact;
            if (found.Count > 1)
                throw new ArgumentException("The entry " + entry + " names " + found.Count + " classes: write it with its namespace, as in " + found[0].FullName + ".");
            if (file)
                foreach (string known in Classes)
                    foreach (Assembly each in code)
                        foreach (Type type in TypesOf(each))
                            if (type.Name == known && type.IsPublic) return type;
            throw new ArgumentException("The entry " + entry + " names the class " + stem + ", and the package has no such public class.");
        }

        private static IEnumerable<Type> TypesOf(Assembly code)
        {
            return code.GetExportedTypes();
        }

        private static bool TakesFission(MethodInfo method)
        {
            ParameterInfo[] parameters = method.GetParameters();
            return parameters.Length == 1 && parameters[0].ParameterType == typeof(FissionContext);
        }

        private static bool Fits(MethodInfo method)
        {
            if (method.DeclaringType == typeof(object) || method.IsGenericMethodDefinition || method.IsSpecialName) return false;
            ParameterInfo[] parameters = method.GetParameters();
            foreach (ParameterInfo each in parameters)
            {
                Type type = each.ParameterType;
                bool known = type == typeof(Request) || type == typeof(Context) || type == typeof(FissionContext)
                    || type == typeof(string) || type == typeof(byte[]) || type == typeof(Stream);
                if (!known) return false;
            }
            return parameters.Length <= 2;
        }

        private static string Others(Type type)
        {
            var names = new List<string>();
            foreach (MethodInfo each in type.GetMethods())
                if (each.DeclaringType == type && Fits(each)) names.Add(each.Name);
            if (names.Count == 0) return "";
            return " It has: " + string.Join(", ", names) + "; name one in the entry, as in " + type.Name + ":" + names[0] + ".";
        }
    }
}
