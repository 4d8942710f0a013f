using System;
using System.Collections.Generic;
using System.Reflection;
using System.Text;

namespace Atelier.Shim
{
    /// <summary>What is told of an error.</summary>
    internal static class Failure
    {
        private const int MessageCharactersMax = 4000;
        private const int StackCharactersMax = 32000;

        /// <summary>The payload of FAIL and LOAD_FAILED.</summary>
        internal static byte[] Of(Exception error)
        {
            Exception cause = Cause(error);
            string message = string.IsNullOrEmpty(cause.Message) ? cause.GetType().FullName : cause.Message;
            var failure = new Dictionary<string, object>
            {
                { "message", Cut(message, MessageCharactersMax) },
                { "stack", Cut(Own(cause.ToString()), StackCharactersMax) },
            };
            return Encoding.UTF8.GetBytes(Json.Write(failure));
        }

        /// <summary>What the code threw, without what the runtime wraps it in.</summary>
        internal static Exception Cause(Exception error)
        {
            var several = error as AggregateException;
            bool wraps = error is TargetInvocationException || error is TypeInitializationException
                || several != null && several.InnerExceptions.Count == 1;
            return wraps && error.InnerException != null ? Cause(error.InnerException) : error;
        }

        /// <summary>What stands below the handler says nothing to its author.</summary>
        private static string Own(string stack)
        {
            var lines = new List<string>(stack.TrimEnd().Split('\n'));
            while (lines.Count > 1 && IsOurs(lines[lines.Count - 1].Trim())) lines.RemoveAt(lines.Count - 1);
            return string.Join("\n", lines);
        }

        private static bool IsOurs(string line)
        {
            return line.StartsWith("at Atelier.Shim.", StringComparison.Ordinal)
                || line.StartsWith("at System.Reflection.", StringComparison.Ordinal)
                || line.StartsWith("at System.RuntimeMethodHandle.", StringComparison.Ordinal)
                || line.StartsWith("at (wrapper ", StringComparison.Ordinal);
        }

        private static string Cut(string text, int most)
        {
            return text.Length <= most ? text : text.Substring(0, most);
        }
    }
}
