using System;
using System.IO;
using System.Threading.Tasks;

namespace Atelier
{
    /// <summary>An answer.</summary>
    public sealed class Response
    {
        private Response(object body, string type)
        {
            Status = 200;
            Headers = new Headers();
            Body = body;
            if (type != null) Headers.Set("content-type", type);
        }

        public int Status { get; set; }

        public Headers Headers { get; private set; }

        /// <summary>string, byte[], Stream, Action or Func of a Stream, or null.</summary>
        public object Body { get; private set; }

        public static Response Text(string text)
        {
            return new Response(text, "text/plain; charset=utf-8");
        }

        public static Response Html(string text)
        {
            return new Response(text, "text/html; charset=utf-8");
        }

        public static Response Bytes(byte[] bytes)
        {
            return new Response(bytes, "application/octet-stream");
        }

        /// <summary>What Json.Write makes of the value.</summary>
        public static Response Json(object value)
        {
            return new Response(Atelier.Json.Write(value), "application/json");
        }

        /// <summary>A body that is read to its end, and disposed of.</summary>
        public static Response Stream(Stream stream)
        {
            return new Response(stream, "application/octet-stream");
        }

        /// <summary>Writes a body piece by piece; each write is sent at once, and waits while the caller is behind.</summary>
        public static Response Stream(Action<Stream> writer)
        {
            return new Response(writer, "application/octet-stream");
        }

        /// <summary>The same, for writers that are asynchronous.</summary>
        public static Response Stream(Func<Stream, Task> writer)
        {
            return new Response(writer, "application/octet-stream");
        }

        public static Response Empty(int status)
        {
            return new Response(null, null) { Status = status };
        }

        public static Response Redirect(string location)
        {
            return Empty(302).With("location", location);
        }

        public Response With(int status)
        {
            Status = status;
            return this;
        }

        /// <summary>Puts a field in the place of all of the same name.</summary>
        public Response With(string name, string value)
        {
            Headers.Set(name, value);
            return this;
        }

        /// <summary>Adds a field beside those of the same name.</summary>
        public Response Add(string name, string value)
        {
            Headers.Add(name, value);
            return this;
        }

        /// <summary>An answer for anything a handler may return.</summary>
        public static Response Of(object value)
        {
            if (value == null) return Empty(204);
            if (value is Response) return (Response)value;
            if (value is string) return Text((string)value);
            if (value is byte[]) return Bytes((byte[])value);
            if (value is Stream) return Stream((Stream)value);
            return Json(value);
        }
    }
}
