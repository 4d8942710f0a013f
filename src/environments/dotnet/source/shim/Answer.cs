using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Text;
using System.Threading.Tasks;

namespace Atelier.Shim
{
    /// <summary>Sends what a handler returned.</summary>
    internal static class Answer
    {
        internal static void Send(Call call, Response response)
        {
            object body = response.Body;
            bool bare = call.Method == "HEAD";
            int status = response.Status;
            bool none = body == null || status == 204 || status == 205 || status == 304;
            byte[] bytes = body is string ? Encoding.UTF8.GetBytes((string)body) : body as byte[];
            if (!none && bytes != null && (bare || bytes.Length > Wire.WindowBytes) && response.Headers["content-length"] == null)
                response.With("content-length", bytes.Length.ToString(CultureInfo.InvariantCulture));
            byte[] head = Head(response);
            if (none || bare)
            {
                if (body is Stream) ((Stream)body).Dispose();
                call.Answer(head, Wire.Nothing);
                return;
            }
            if (bytes != null && bytes.Length <= Wire.WindowBytes)
            {
                call.Answer(head, bytes);
                return;
            }
            call.AnswerHead(head);
            var written = new AnswerBody(call);
            if (bytes != null) written.Write(bytes, 0, bytes.Length);
            else if (body is Stream)
                using (var stream = (Stream)body) stream.CopyTo(written, Wire.DataBytesMax);
            else if (body is Func<Stream, Task>) ((Func<Stream, Task>)body)(written).GetAwaiter().GetResult();
            else ((Action<Stream>)body)(written);
            call.End(Wire.Nothing);
        }

        /// <summary>ArgumentException names what is not fit to be sent.</summary>
        private static byte[] Head(Response response)
        {
            int status = response.Status;
            if (status < 200 || status > 599) throw new ArgumentException("The status " + status + " is not from 200 to 599.");
            var head = new StringBuilder(status.ToString(CultureInfo.InvariantCulture));
            foreach (KeyValuePair<string, string> line in response.Headers.Lines)
            {
                if (!IsName(line.Key)) throw new ArgumentException("\"" + line.Key + "\" is not a header name.");
                string value = line.Value == null ? "" : line.Value.Trim(' ', '\t');
                if (!IsValue(value))
                    throw new ArgumentException("The value of the header " + line.Key + " holds characters that no header may hold.");
                head.Append('\n').Append(line.Key).Append(": ").Append(value);
            }
            return Encoding.UTF8.GetBytes(head.ToString());
        }

        private static bool IsName(string name)
        {
            foreach (char each in name)
            {
                bool plain = each >= 'a' && each <= 'z' || each >= '0' && each <= '9';
                if (!plain && "!#$%&'*+.^_`|~-".IndexOf(each) < 0) return false;
            }
            return name.Length > 0;
        }

        private static bool IsValue(string value)
        {
            foreach (char each in value)
                if (each != '\t' && (each < ' ' || each > 255 || each >= 127 && each < 160)) return false;
            return true;
        }

        /// <summary>The body of an answer that is written piece by piece.</summary>
        private sealed class AnswerBody : OneWayStream
        {
            private readonly Call call;

            internal AnswerBody(Call call)
            {
                this.call = call;
            }

            public override bool CanWrite { get { return true; } }

            public override void Write(byte[] buffer, int offset, int count)
            {
                if (call.IsOver) throw new IOException("The answer has ended.");
                call.Write(buffer, offset, count);
            }
        }
    }
}
