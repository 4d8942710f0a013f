using System;
using System.Collections.Generic;

namespace Atelier
{
    /// <summary>Header fields in their order, without regard to case.</summary>
    public sealed class Headers
    {
        private readonly List<KeyValuePair<string, string>> lines = new List<KeyValuePair<string, string>>();

        /// <summary>The value of a field, or null. One that repeats reads as one value, joined.</summary>
        public string this[string name]
        {
            get
            {
                IList<string> values = All(name);
                if (values.Count == 0) return null;
                return values.Count == 1 ? values[0] : string.Join(Same(name, "cookie") ? "; " : ", ", values);
            }
            set { Set(name, value); }
        }

        /// <summary>Every field, in order; names are in lower case.</summary>
        public IReadOnlyList<KeyValuePair<string, string>> Lines { get { return lines; } }

        /// <summary>Every value of a field.</summary>
        public IList<string> All(string name)
        {
            var values = new List<string>();
            foreach (var line in lines) if (Same(line.Key, name)) values.Add(line.Value);
            return values;
        }

        /// <summary>Adds a field beside those of the same name.</summary>
        public Headers Add(string name, string value)
        {
            lines.Add(new KeyValuePair<string, string>(name.ToLowerInvariant(), value));
            return this;
        }

        /// <summary>Puts a field in the place of all of the same name.</summary>
        public Headers Set(string name, string value)
        {
            lines.RemoveAll(line => Same(line.Key, name));
            return Add(name, value);
        }

        private static bool Same(string a, string b)
        {
            return string.Equals(a, b, StringComparison.OrdinalIgnoreCase);
        }
    }
}
