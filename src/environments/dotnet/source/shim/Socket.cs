using System;
using System.Collections.Generic;
using System.IO;
using System.Text;
using System.Threading;

namespace Atelier.Shim
{
    /// <summary>The code's end of a WebSocket, over one call. What waits in it is bounded by the call's window.</summary>
    internal sealed class Socket : WebSocket
    {
        private const int ReasonBytesMax = 123;

        private readonly Call call;
        private readonly List<object> messages = new List<object>();
        private volatile int closeCode = -1;
        private bool gone;
        private volatile bool ended;

        private Socket(Call call)
        {
            this.call = call;
        }

        internal static Socket Accept(Call call, string protocol)
        {
            if (call.Headers["upgrade"] != "websocket")
                throw new InvalidOperationException("This call offers no WebSocket: it has no \"upgrade: websocket\".");
            call.Socket = new Socket(call);
            call.AnswerHead(Encoding.UTF8.GetBytes(protocol == null ? "101" : "101\nsec-websocket-protocol: " + protocol));
            return call.Socket;
        }

        public override int CloseCode { get { return closeCode; } }

        public override void Send(string text)
        {
            Send(Encoding.UTF8.GetBytes(text), true);
        }

        public override void Send(byte[] bytes)
        {
            Send(bytes, false);
        }

        private void Send(byte[] bytes, bool text)
        {
            if (bytes.Length > Wire.PayloadBytesMax)
                throw new ArgumentException("A message may hold " + Wire.PayloadBytesMax + " bytes.");
            if (ended || call.IsOver) throw new IOException("The socket is closed.");
            call.WriteMessage(bytes, text);
        }

        public override object Receive()
        {
            object message;
            lock (messages)
            {
                while (messages.Count == 0 && !gone && !ended) Monitor.Wait(messages);
                if (ended || messages.Count == 0)
                {
                    ended = true;
                    return null;
                }
                message = messages[0];
                messages.RemoveAt(0);
            }
            var text = message as Text;
            byte[] bytes = text == null ? (byte[])message : text.Bytes;
            call.Body.Consumed(bytes.Length + Wire.MessageCostBytes);
            return text == null ? message : Encoding.UTF8.GetString(bytes);
        }

        public override void Close(int code, string reason)
        {
            ended = true;
            byte[] text = Encoding.UTF8.GetBytes(reason);
            var payload = new byte[2 + Math.Min(text.Length, ReasonBytesMax)];
            payload[0] = (byte)(code >> 8);
            payload[1] = (byte)code;
            Buffer.BlockCopy(text, 0, payload, 2, payload.Length - 2);
            call.End(payload);
        }

        // Called on the reading thread

        internal void Deliver(byte[] payload, bool text)
        {
            lock (messages)
            {
                messages.Add(text ? (object)new Text(payload) : payload);
                Monitor.PulseAll(messages);
            }
        }

        /// <summary>`payload` is that of the close frame, or null when the other side is just gone.</summary>
        internal void ClosedByPeer(byte[] payload)
        {
            if (payload != null && payload.Length >= 2) closeCode = payload[0] << 8 | payload[1];
            lock (messages)
            {
                gone = true;
                Monitor.PulseAll(messages);
            }
        }

        private sealed class Text
        {
            internal readonly byte[] Bytes;

            internal Text(byte[] bytes)
            {
                Bytes = bytes;
            }
        }
    }
}
