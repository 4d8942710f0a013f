using System;
using System.IO;
using System.Text;

namespace Atelier.Shim
{
    /// <summary>Plays a load and some calls before anybody waits, so that the first real ones meet code that is compiled.</summary>
    public sealed class Rehearsal
    {
        private const int Calls = 3;
        private const string LoadText = "{\"directory\":\"/nowhere\",\"entry\":\"Atelier.Shim.Rehearsal\",\"config\":{\"a\":\"b\"},"
            + "\"secrets\":{},\"function\":{\"name\":\"f\",\"version\":1},\"instance\":\"i\",\"concurrency\":1,\"memoryMiB\":128}";
        private const string Head = "POST /path%20?name=value\nid\n9999999999999\nhost: example.org\nx-forwarded-proto: https";

        public Response Handle(Request request, Context context)
        {
            string name = request.Query("name", "world") + request.Path + request.Header("host") + request.Url;
            Console.WriteLine("rehearsing " + name);
            return Response.Json(new { name, left = context.RemainingMs, body = request.Text() }).With("x-a", context.InvocationId).With(201);
        }

        internal static void Play()
        {
            TextWriter standard = Console.Out, error = Console.Error;
            Output.Capture(new Wire(new Nowhere(new byte[0])));
            try
            {
                var version = new Version(Encoding.UTF8.GetBytes(LoadText));
                Handler handler = Handler.Load(new[] { typeof(Rehearsal).Assembly }, version.Entry);
                for (int i = 0; i < Calls; i++) Call(handler, version);
                Failure.Of(new InvalidOperationException("rehearsed"));
                Json.Parse("[1, 2.5, true, null, {\"a\": \"\\n\"}]");
            }
            finally
            {
                Console.SetOut(standard);
                Console.SetError(error);
            }
        }

        private static void Call(Handler handler, Version version)
        {
            byte[] head = Encoding.UTF8.GetBytes(Head), body = Encoding.UTF8.GetBytes("body");
            var first = new byte[4 + head.Length];
            Wire.PutInt(first, 0, head.Length);
            Buffer.BlockCopy(head, 0, first, 4, head.Length);
            var written = new Nowhere(new byte[0]);
            new Wire(written).Send(Wire.Call, Wire.End, 1, first, body, 0, body.Length);
            var wire = new Wire(new Nowhere(written.Written.ToArray()));
            wire.Next();
            var runner = new Runner();
            runner.Use(version, handler);
            runner.Rehearse(new Call(wire, wire.Number, wire.Flags, wire.Payload, ended => { }));
        }

        /// <summary>A stream to nobody.</summary>
        private sealed class Nowhere : OneWayStream
        {
            internal readonly MemoryStream Written = new MemoryStream();
            private readonly MemoryStream coming;

            internal Nowhere(byte[] coming)
            {
                this.coming = new MemoryStream(coming);
            }

            public override int Read(byte[] buffer, int offset, int count)
            {
                return coming.Read(buffer, offset, count);
            }

            public override void Write(byte[] buffer, int offset, int count)
            {
                Written.Write(buffer, offset, count);
            }
        }
    }
}
