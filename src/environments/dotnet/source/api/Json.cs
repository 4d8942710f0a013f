using System;
using System.Collections;
using System.Collections.Generic;
using System.Globalization;
using System.Reflection;
using System.Text;

namespace Atelier
{
    /// <summary>JSON to plain values and back.</summary>
    public sealed class Json
    {
        private const int DepthMax = 500;

        private readonly string text;
        private int at;

        private Json(string text)
        {
            this.text = text;
        }

        /// <summary>
        /// Dictionary&lt;string, object&gt;, List&lt;object&gt;, string, long, double, bool or null. FormatException says where it is no JSON.
        /// </summary>
        public static object Parse(string text)
        {
            var parser = new Json(text);
            object value = parser.Value(0);
            parser.Space();
            if (parser.at < text.Length) throw parser.Wrong();
            return value;
        }

        /// <summary>
        /// The text of dictionaries, whatever can be enumerated, texts, numbers, booleans, null, dates, and of the public properties and
        /// fields of other objects.
        /// </summary>
        public static string Write(object value)
        {
            var written = new StringBuilder();
            Write(written, value, 0);
            return written.ToString();
        }

        private object Value(int depth)
        {
            if (depth > DepthMax) throw new FormatException("The JSON is nested too deep.");
            Space();
            char first = at < text.Length ? text[at] : '\0';
            if (first == '{') return Fields(depth);
            if (first == '[') return Items(depth);
            if (first == '"') return Text();
            if (Take("true")) return true;
            if (Take("false")) return false;
            if (Take("null")) return null;
            return Number();
        }

        private Dictionary<string, object> Fields(int depth)
        {
            var fields = new Dictionary<string, object>();
            at++;
            Space();
            if (Take("}")) return fields;
            do
            {
                Space();
                string name = Text();
                Space();
                if (!Take(":")) throw Wrong();
                fields[name] = Value(depth + 1);
                Space();
            } while (Take(","));
            if (!Take("}")) throw Wrong();
            return fields;
        }

        private List<object> Items(int depth)
        {
            var items = new List<object>();
            at++;
            Space();
            if (Take("]")) return items;
            do
            {
                items.Add(Value(depth + 1));
                Space();
            } while (Take(","));
            if (!Take("]")) throw Wrong();
            return items;
        }

        private string Text()
        {
            if (!Take("\"")) throw Wrong();
            var read = new StringBuilder();
            while (at < text.Length)
            {
                char each = text[at++];
                if (each == '"') return read.ToString();
                if (each < ' ') throw Wrong();
                read.Append(each == '\\' ? Escaped() : each);
            }
            throw Wrong();
        }

        private char Escaped()
        {
            char kind = at < text.Length ? text[at++] : '\0';
            int plain = "\"\\/bfnrt".IndexOf(kind);
            if (plain >= 0) return "\"\\/\b\f\n\r\t"[plain];
            ushort code;
            if (kind != 'u' || at + 4 > text.Length) throw Wrong();
            if (!ushort.TryParse(text.Substring(at, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out code))
                throw Wrong();
            at += 4;
            return (char)code;
        }

        private object Number()
        {
            int from = at;
            Take("-");
            int digits = Digits();
            if (digits == 0 || digits > 1 && text[at - digits] == '0') throw Wrong();
            bool whole = true;
            if (Take("."))
            {
                whole = false;
                if (Digits() == 0) throw Wrong();
            }
            if (at < text.Length && (text[at] == 'e' || text[at] == 'E'))
            {
                whole = false;
                at++;
                if (!Take("+")) Take("-");
                if (Digits() == 0) throw Wrong();
            }
            string number = text.Substring(from, at - from);
            if (whole && number.Length < 19) return long.Parse(number, CultureInfo.InvariantCulture);
            return double.Parse(number, NumberStyles.Float, CultureInfo.InvariantCulture);
        }

        private int Digits()
        {
            int from = at;
            while (at < text.Length && text[at] >= '0' && text[at] <= '9') at++;
            return at - from;
        }

        private bool Take(string word)
        {
            if (string.CompareOrdinal(text, at, word, 0, word.Length) != 0) return false;
            at += word.Length;
            return true;
        }

        private void Space()
        {
            while (at < text.Length && " \t\r\n".IndexOf(text[at]) >= 0) at++;
        }

        private FormatException Wrong()
        {
            return new FormatException("There is no JSON at character " + at + " of " + text.Length + ".");
        }

        private static void Write(StringBuilder written, object value, int depth)
        {
            if (depth > DepthMax) throw new ArgumentException("The value is nested too deep, or contains itself.");
            if (value == null) written.Append("null");
            else if (value is string) Quote(written, (string)value);
            else if (value is bool) written.Append((bool)value ? "true" : "false");
            else if (value is double || value is float) WriteReal(written, Convert.ToDouble(value, CultureInfo.InvariantCulture));
            else if (value is DateTime || value is DateTimeOffset)
                Quote(written, ((IFormattable)value).ToString("o", CultureInfo.InvariantCulture));
            else if (value is decimal || value.GetType().IsPrimitive && !(value is char))
                written.Append(((IFormattable)value).ToString(null, CultureInfo.InvariantCulture));
            else if (value is IDictionary) WriteFields(written, Pairs((IDictionary)value), depth);
            else if (value is IEnumerable) WriteItems(written, (IEnumerable)value, depth);
            else if (value is char || value is Guid || value is Enum || value is Uri || value is TimeSpan)
                Quote(written, Convert.ToString(value, CultureInfo.InvariantCulture));
            else WriteFields(written, Members(value), depth);
        }

        private static void WriteReal(StringBuilder written, double number)
        {
            bool finite = !double.IsNaN(number) && !double.IsInfinity(number);
            written.Append(finite ? number.ToString("R", CultureInfo.InvariantCulture) : "null");
        }

        private static void WriteFields(StringBuilder written, IEnumerable<KeyValuePair<string, object>> fields, int depth)
        {
            string comma = "{";
            foreach (var field in fields)
            {
                Quote(written.Append(comma), field.Key);
                Write(written.Append(':'), field.Value, depth + 1);
                comma = ",";
            }
            written.Append(comma == "{" ? "{}" : "}");
        }

        private static void WriteItems(StringBuilder written, IEnumerable items, int depth)
        {
            string comma = "[";
            foreach (object item in items)
            {
                Write(written.Append(comma), item, depth + 1);
                comma = ",";
            }
            written.Append(comma == "[" ? "[]" : "]");
        }

        private static IEnumerable<KeyValuePair<string, object>> Pairs(IDictionary fields)
        {
            foreach (DictionaryEntry field in fields)
                yield return new KeyValuePair<string, object>(Convert.ToString(field.Key, CultureInfo.InvariantCulture), field.Value);
        }

        private static IEnumerable<KeyValuePair<string, object>> Members(object value)
        {
            const BindingFlags visible = BindingFlags.Public | BindingFlags.Instance;
            foreach (PropertyInfo each in value.GetType().GetProperties(visible))
                if (each.CanRead && each.GetIndexParameters().Length == 0)
                    yield return new KeyValuePair<string, object>(each.Name, each.GetValue(value, null));
            foreach (FieldInfo each in value.GetType().GetFields(visible))
                yield return new KeyValuePair<string, object>(each.Name, each.GetValue(value));
        }

        private static void Quote(StringBuilder written, string text)
        {
            written.Append('"');
            foreach (char each in text)
            {
                int named = "\"\\\n\r\t".IndexOf(each);
                if (named >= 0) written.Append('\\').Append("\"\\nrt"[named]);
                else if (each < ' ' || each == '\u2028' || each == '\u2029') written.Append("\\u").Append(((int)each).ToString("x4"));
                else written.Append(each);
            }
            written.Append('"');
        }
    }
}
