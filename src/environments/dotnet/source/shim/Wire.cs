using System;
using System.IO;

namespace Atelier.Shim
{
    /// <summary>Frames to bytes and back (docs/frames.md), for the shim's end of the stream.</summary>
    internal sealed class Wire
    {
        internal const int Hello = 1, Load = 2, Loaded = 3, LoadFailed = 4;
        internal const int Call = 16, Result = 17, Data = 18, Window = 19, Cancel = 20, Fail = 21, Message = 22, Log = 23;
        internal const int Ping = 32, Pong = 33, Drain = 34;
        internal const int End = 1, Text = 2;
        internal const int DataBytesMax = 64 * 1024;
        internal const int WindowBytes = 262144;
        internal const int MessageCostBytes = 64;
        internal const int PayloadBytesMax = 1024 * 1024;
        internal static readonly byte[] Nothing = new byte[0];
        private const int HeadBytes = 10;

        private readonly Stream stream;
        private readonly object writing = new object();
        private readonly byte[] buffer = new byte[8192];
        private int from;
        private int to;

        internal Wire(Stream stream)
        {
            this.stream = stream;
        }

        // Of the frame that was read last.
        internal int Type { get; private set; }

        internal int Flags { get; private set; }

        internal int Number { get; private set; }

        internal byte[] Payload { get; private set; }

        internal void Send(int type, int flags, int call, byte[] payload)
        {
            Send(type, flags, call, Nothing, payload, 0, payload.Length);
        }

        /// <summary>`first` and a piece of `data` as one payload, in one write, from any thread.</summary>
        internal void Send(int type, int flags, int call, byte[] first, byte[] data, int offset, int length)
        {
            var frame = new byte[HeadBytes + first.Length + length];
            PutInt(frame, 0, first.Length + length);
            frame[4] = (byte)type;
            frame[5] = (byte)flags;
            PutInt(frame, 6, call);
            Buffer.BlockCopy(first, 0, frame, HeadBytes, first.Length);
            Buffer.BlockCopy(data, offset, frame, HeadBytes + first.Length, length);
            lock (writing) stream.Write(frame, 0, frame.Length);
        }

        /// <summary>Reads the next frame; false when the stream ends, or what comes is no frame.</summary>
        internal bool Next()
        {
            if (!Fill(HeadBytes)) return false;
            int length = GetInt(buffer, from);
            Type = buffer[from + 4];
            Flags = buffer[from + 5];
            Number = GetInt(buffer, from + 6);
            from += HeadBytes;
            if (length < 0 || length > PayloadBytesMax) return false;
            Payload = length == 0 ? Nothing : new byte[length];
            int ready = Math.Min(length, to - from);
            Buffer.BlockCopy(buffer, from, Payload, 0, ready);
            from += ready;
            while (ready < length)
            {
                int read = stream.Read(Payload, ready, length - ready);
                if (read <= 0) return false;
                ready += read;
            }
            return true;
        }

        private bool Fill(int least)
        {
            if (to - from >= least) return true;
            Buffer.BlockCopy(buffer, from, buffer, 0, to - from);
            to -= from;
            from = 0;
            while (to < least)
            {
                int read = stream.Read(buffer, to, buffer.Length - to);
                if (read <= 0) return false;
                to += read;
            }
            return true;
        }

        internal static byte[] Bytes(int value)
        {
            var bytes = new byte[4];
            PutInt(bytes, 0, value);
            return bytes;
        }

        internal static int GetInt(byte[] bytes, int at)
        {
            return bytes[at] << 24 | bytes[at + 1] << 16 | bytes[at + 2] << 8 | bytes[at + 3];
        }

        internal static void PutInt(byte[] bytes, int at, int value)
        {
            bytes[at] = (byte)(value >> 24);
            bytes[at + 1] = (byte)(value >> 16);
            bytes[at + 2] = (byte)(value >> 8);
            bytes[at + 3] = (byte)value;
        }
    }
}
