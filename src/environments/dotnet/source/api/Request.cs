using System;
using System.Collections.Generic;
using System.IO;
using System.Text;

namespace Atelier
{
    /// <summary>One request.</summary>
    public sealed class Request
    {
        private byte[] body;

        /// <summary>Made by the platform, and by tests.</summary>
        public Request(string method, string target, Headers headers, Stream stream)
        {
            Method = method;
            Target = target;
            Headers = headers;
            Stream = stream;
        }

        public string Method { get; private set; }

        /// <summary>Path and query as the caller wrote them.</summary>
        public string Target { get; private set; }

        public Headers Headers { get; private set; }

        /// <summary>The body as it comes; it can be read once.</summary>
        public Stream Stream { get; private set; }

        /// <summary>The path, decoded.</summary>
        public string Path
        {
            get
            {
                int query = Target.IndexOf('?');
                return Decode(query < 0 ? Target : Target.Substring(0, query), false);
            }
        }

        public string Url
        {
            get
            {
                string forwarded = Headers["x-forwarded-proto"];
                bool secure = forwarded != null && forwarded.StartsWith("https", StringComparison.Ordinal);
                return (secure ? "https://" : "http://") + (Headers["host"] ?? "localhost") + Target;
            }
        }

        /// <summary>The value of a header, or null.</summary>
        public string Header(string name)
        {
            return Headers[name];
        }

        /// <summary>Every value of each parameter in the query.</summary>
        public IDictionary<string, IList<string>> Query()
        {
            int at = Target.IndexOf('?');
            return Fields(at < 0 ? "" : Target.Substring(at + 1));
        }

        /// <summary>The first value of a parameter in the query, or `otherwise`.</summary>
        public string Query(string name, string otherwise = null)
        {
            IList<string> values;
            return Query().TryGetValue(name, out values) ? values[0] : otherwise;
        }

        /// <summary>The fields of a form in application/x-www-form-urlencoded.</summary>
        public IDictionary<string, IList<string>> Form()
        {
            return Fields(Text());
        }

        /// <summary>All of the body; waits for it.</summary>
        public byte[] Body()
        {
            if (body != null) return body;
            var read = new MemoryStream();
            Stream.CopyTo(read);
            return body = read.ToArray();
        }

        /// <summary>All of the body as UTF-8.</summary>
        public string Text()
        {
            return Encoding.UTF8.GetString(Body());
        }

        /// <summary>The body as JSON, as Json.Parse tells it. FormatException where it is none.</summary>
        public object Json()
        {
            return Atelier.Json.Parse(Text());
        }

        private static IDictionary<string, IList<string>> Fields(string text)
        {
            var fields = new Dictionary<string, IList<string>>();
            foreach (string pair in text.Split('&'))
            {
                if (pair.Length == 0) continue;
                int equals = pair.IndexOf('=');
                string name = Decode(equals < 0 ? pair : pair.Substring(0, equals), true);
                IList<string> values;
                if (!fields.TryGetValue(name, out values)) fields[name] = values = new List<string>();
                values.Add(equals < 0 ? "" : Decode(pair.Substring(equals + 1), true));
            }
            return fields;
        }

        /// <summary>A stray percent sign stands for itself.</summary>
        private static string Decode(string text, bool plusIsSpace)
        {
            if (text.IndexOf('%') < 0) return plusIsSpace ? text.Replace('+', ' ') : text;
            byte[] bytes = Encoding.UTF8.GetBytes(text);
            int length = 0;
            for (int i = 0; i < bytes.Length; i++)
            {
                int high = bytes[i] == '%' && i + 2 < bytes.Length ? Digit(bytes[i + 1]) : -1;
                int low = high < 0 ? -1 : Digit(bytes[i + 2]);
                if (low >= 0)
                {
                    bytes[length++] = (byte)(high << 4 | low);
                    i += 2;
                }
                else bytes[length++] = plusIsSpace && bytes[i] == '+' ? (byte)' ' : bytes[i];
            }
            return Encoding.UTF8.GetString(bytes, 0, length);
        }

        private static int Digit(byte character)
        {
            if (character >= '0' && character <= '9') return character - '0';
            int letter = character | 32;
            return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
        }
    }
}
