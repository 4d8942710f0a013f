using System;
using System.Collections.Generic;
using System.Text;

namespace Atelier.Shim
{
    /// <summary>What LOAD says.</summary>
    internal sealed class Version
    {
        internal readonly string Directory;
        internal readonly string Entry;
        internal readonly IDictionary<string, string> Config;
        internal readonly IDictionary<string, string> Secrets;
        internal readonly IDictionary<string, object> Function;
        internal readonly string Instance;
        internal readonly int Concurrency;
        internal readonly int MemoryMiB;

        internal Version(byte[] payload)
        {
            var spec = (Dictionary<string, object>)Json.Parse(Encoding.UTF8.GetString(payload));
            // Without a sandbox there is no /function: the backend says where the bundle is instead.
            Directory = Environment.GetEnvironmentVariable("ATELIER_DIRECTORY") ?? (string)spec["directory"];
            Entry = (string)spec["entry"];
            Config = Texts(spec["config"]);
            Secrets = Texts(spec["secrets"]);
            Function = (Dictionary<string, object>)spec["function"];
            Instance = (string)spec["instance"];
            Concurrency = (int)(long)spec["concurrency"];
            MemoryMiB = (int)(long)spec["memoryMiB"];
        }

        private static IDictionary<string, string> Texts(object fields)
        {
            var texts = new Dictionary<string, string>();
            if (fields == null) return texts;
            foreach (var each in (Dictionary<string, object>)fields) texts[each.Key] = (string)each.Value;
            return texts;
        }
    }
}
