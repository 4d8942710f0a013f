using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Text;
using System.Threading;

namespace Atelier.Shim
{
    /// <summary>One call: what may still be sent, and how it ends. What has come of its request is in `Body`.</summary>
    internal sealed class Call
    {
        internal readonly int Number;
        internal readonly string Id;
        internal readonly string Method;
        internal readonly string Target;
        internal readonly long Deadline;
        internal readonly Headers Headers = new Headers();
        internal readonly RequestBody Body;
        internal readonly StringBuilder[] Lines = { new StringBuilder(), new StringBuilder() };
        internal long LoggedBytes;
        internal Socket Socket;
        private readonly Wire wire;
        private readonly Action<Call> onEnd;
        private readonly object gate = new object();
        private readonly CancellationTokenSource cancelling = new CancellationTokenSource();
        private long credit = Wire.WindowBytes;
        private volatile string cancelReason;
        private volatile bool over;

        internal Call(Wire wire, int number, int flags, byte[] payload, Action<Call> onEnd)
        {
            this.wire = wire;
            this.onEnd = onEnd;
            Number = number;
            int size = Wire.GetInt(payload, 0);
            string[] head = Encoding.UTF8.GetString(payload, 4, size).Split('\n');
            int space = head[0].IndexOf(' ');
            Method = head[0].Substring(0, space);
            Target = head[0].Substring(space + 1);
            Id = head[1];
            Deadline = long.Parse(head[2], CultureInfo.InvariantCulture);
            for (int i = 3; i < head.Length; i++)
            {
                int colon = head[i].IndexOf(": ", StringComparison.Ordinal);
                if (colon > 0) Headers.Add(head[i].Substring(0, colon), head[i].Substring(colon + 2));
            }
            Body = new RequestBody(this, (flags & Wire.End) != 0);
            int rest = payload.Length - 4 - size;
            if (rest > 0)
            {
                var first = new byte[rest];
                Buffer.BlockCopy(payload, 4 + size, first, 0, rest);
                Body.Add(first, false);
            }
        }

        internal string CancelReason { get { return cancelReason; } }

        internal CancellationToken CancellationToken { get { return cancelling.Token; } }

        internal bool IsOver { get { return over; } }

        /// <summary>Lets the platform send as much again as has been read.</summary>
        internal void GiveWindow(int bytes)
        {
            if (!over) wire.Send(Wire.Window, 0, Number, Wire.Bytes(bytes));
        }

        /// <summary>The whole answer in one frame; its body fits the window.</summary>
        internal void Answer(byte[] head, byte[] body)
        {
            if (!Begin()) return;
            Output.EndOf(this);
            SendResult(Wire.End, head, body);
            Finish();
        }

        /// <summary>The head; the body follows through `Write` and `End`.</summary>
        internal void AnswerHead(byte[] head)
        {
            if (Begin()) SendResult(0, head, Wire.Nothing);
        }

        private void SendResult(int flags, byte[] head, byte[] body)
        {
            var first = new byte[4 + head.Length];
            Wire.PutInt(first, 0, head.Length);
            Buffer.BlockCopy(head, 0, first, 4, head.Length);
            wire.Send(Wire.Result, flags, Number, first, body, 0, body.Length);
        }

        /// <summary>Sends a piece of the body, waiting for the window where it is used up.</summary>
        internal void Write(byte[] data, int offset, int length)
        {
            while (length > 0)
            {
                int size;
                lock (gate)
                {
                    WaitForCredit();
                    size = (int)Math.Min(Math.Min(length, Wire.DataBytesMax), credit);
                    credit -= size;
                }
                wire.Send(Wire.Data, 0, Number, Wire.Nothing, data, offset, size);
                offset += size;
                length -= size;
            }
        }

        /// <summary>Sends a WebSocket message, which may take the window below zero.</summary>
        internal void WriteMessage(byte[] data, bool text)
        {
            lock (gate)
            {
                WaitForCredit();
                credit -= data.Length + Wire.MessageCostBytes;
            }
            wire.Send(Wire.Message, text ? Wire.Text : 0, Number, data);
        }

        internal void End(byte[] close)
        {
            if (over) return;
            Output.EndOf(this);
            if (cancelReason == null) wire.Send(Wire.Data, Wire.End, Number, close);
            else wire.Send(Wire.Fail, 0, Number, Wire.Nothing);
            Finish();
        }

        /// <summary>The code has failed.</summary>
        internal void Fail(Exception error)
        {
            if (over) return;
            Output.EndOf(this);
            wire.Send(Wire.Fail, 0, Number, cancelReason == null ? Failure.Of(error) : Wire.Nothing);
            Finish();
        }

        /// <summary>A frame of this call, on the reading thread.</summary>
        internal void Receive(int type, int flags, byte[] payload)
        {
            if (type == Wire.Data)
            {
                if (Socket != null) Socket.ClosedByPeer(payload);
                else Body.Add(payload, (flags & Wire.End) != 0);
            }
            else if (type == Wire.Window && payload.Length == 4)
            {
                lock (gate)
                {
                    credit += Wire.GetInt(payload, 0);
                    Monitor.PulseAll(gate);
                }
            }
            else if (type == Wire.Message && Socket != null) Socket.Deliver(payload, (flags & Wire.Text) != 0);
            else if (type == Wire.Cancel) Cancel(Encoding.UTF8.GetString(payload));
        }

        internal OperationCanceledException CancelledError()
        {
            return new OperationCanceledException("Nobody waits for this call any more: " + cancelReason + ".", cancelling.Token);
        }

        private void Cancel(string reason)
        {
            lock (gate)
            {
                cancelReason = reason;
                Monitor.PulseAll(gate);
            }
            Body.Wake();
            if (Socket != null) Socket.ClosedByPeer(null);
            // What the code has registered runs here: on a thread of its own, since the stream must be read on.
            ThreadPool.QueueUserWorkItem(any =>
            {
                try
                {
                    cancelling.Cancel();
                }
                catch (AggregateException error)
                {
                    Console.Error.WriteLine(error);
                }
            });
        }

        private void WaitForCredit()
        {
            while (credit <= 0 && cancelReason == null) Monitor.Wait(gate);
            if (cancelReason != null) throw CancelledError();
        }

        /// <summary>Whether an answer may begin; a cancelled call ends here instead.</summary>
        private bool Begin()
        {
            if (over) return false;
            if (cancelReason == null) return true;
            Fail(CancelledError());
            return false;
        }

        private void Finish()
        {
            over = true;
            onEnd(this);
        }
    }

    /// <summary>The body of a request, as it comes. What waits in it is bounded by the call's window.</summary>
    internal sealed class RequestBody : OneWayStream
    {
        private const int WindowStepBytes = Wire.WindowBytes / 2;

        private readonly Call call;
        private readonly object gate = new object();
        private readonly List<byte[]> parts = new List<byte[]>();
        private byte[] part = Wire.Nothing;
        private int at;
        private bool complete;
        private int consumed;

        internal RequestBody(Call call, bool complete)
        {
            this.call = call;
            this.complete = complete;
        }

        public override bool CanRead { get { return true; } }

        public override int Read(byte[] buffer, int offset, int count)
        {
            if (count == 0 || at == part.Length && !NextPart()) return 0;
            int size = Math.Min(count, part.Length - at);
            Buffer.BlockCopy(part, at, buffer, offset, size);
            at += size;
            Consumed(size);
            return size;
        }

        internal void Add(byte[] piece, bool last)
        {
            lock (gate)
            {
                if (piece.Length > 0) parts.Add(piece);
                complete |= last;
                Monitor.PulseAll(gate);
            }
        }

        internal void Wake()
        {
            lock (gate) Monitor.PulseAll(gate);
        }

        internal void Consumed(int size)
        {
            int given;
            lock (gate)
            {
                if (complete) return;
                consumed += size;
                if (consumed < WindowStepBytes) return;
                given = consumed;
                consumed = 0;
            }
            call.GiveWindow(given);
        }

        private bool NextPart()
        {
            lock (gate)
            {
                while (parts.Count == 0)
                {
                    if (call.CancelReason != null) throw call.CancelledError();
                    if (complete) return false;
                    Monitor.Wait(gate);
                }
                part = parts[0];
                parts.RemoveAt(0);
                at = 0;
                return true;
            }
        }
    }
}
