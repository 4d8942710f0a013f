using System;
using System.IO;
using System.Text;
using System.Threading;

namespace Atelier.Shim
{
    /// <summary>Console.Out and Console.Error of the code, sent as LOG with the number of the call that writes, also in its tasks.</summary>
    internal sealed class Output : TextWriter
    {
        private const int PieceCharactersMax = 64 * 1024;
        private const int PieceBytesMax = 64 * 1024;
        private const long CallBytesMax = 2 * 1024 * 1024; // the platform keeps less; a flood is stopped where it starts

        /// <summary>The call that this thread or task belongs to.</summary>
        internal static readonly AsyncLocal<Call> Current = new AsyncLocal<Call>();

        private static Wire wire;
        private readonly int stream;
        private readonly StringBuilder rest = new StringBuilder();

        private Output(int stream)
        {
            this.stream = stream;
        }

        public override Encoding Encoding { get { return Encoding.UTF8; } }

        internal static void Capture(Wire to)
        {
            wire = to;
            Console.SetOut(new Output(1));
            Console.SetError(new Output(2));
        }

        /// <summary>What was written without a line break at its end goes out before the answer does.</summary>
        internal static void EndOf(Call call)
        {
            for (int i = 0; i < 2; i++)
            {
                StringBuilder lines = call.Lines[i];
                lock (lines)
                {
                    if (lines.Length == 0) continue;
                    lines.Append('\n');
                    Send(i + 1, call, lines);
                }
            }
        }

        public override void Write(char value)
        {
            Write(value.ToString());
        }

        public override void Write(char[] buffer, int index, int count)
        {
            Write(new string(buffer, index, count));
        }

        public override void Write(string value)
        {
            if (string.IsNullOrEmpty(value)) return;
            Call call = Current.Value;
            if (call != null && call.IsOver) call = null;
            StringBuilder lines = call == null ? rest : call.Lines[stream - 1];
            lock (lines)
            {
                lines.Append(value);
                if (value[value.Length - 1] == '\n' || lines.Length >= PieceCharactersMax) Send(stream, call, lines);
            }
        }

        public override void WriteLine(string value)
        {
            Write(value + "\n");
        }

        private static void Send(int stream, Call call, StringBuilder lines)
        {
            byte[] text = Encoding.UTF8.GetBytes(lines.ToString());
            lines.Clear();
            if (call != null)
            {
                if (call.LoggedBytes > CallBytesMax) return;
                call.LoggedBytes += text.Length;
            }
            byte[] first = { (byte)stream };
            for (int at = 0; at < text.Length;)
            {
                int size = Math.Min(PieceBytesMax, text.Length - at);
                while (size > 1 && at + size < text.Length && (text[at + size] & 0xc0) == 0x80) size--; // no letter is cut
                wire.Send(Wire.Log, 0, call == null ? 0 : call.Number, first, text, at, size);
                at += size;
            }
        }
    }
}
