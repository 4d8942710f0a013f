using System.Collections.Generic;
using System.Threading;

namespace Atelier
{
    /// <summary>What a handler is told beside the request.</summary>
    public abstract class Context
    {
        /// <summary>The caller has it as `atelier-invocation-id`.</summary>
        public abstract string InvocationId { get; }

        /// <summary>The trace that this call belongs to, or null.</summary>
        public abstract string Traceparent { get; }

        /// <summary>Epoch milliseconds at which the platform gives up.</summary>
        public abstract long Deadline { get; }

        public abstract long RemainingMs { get; }

        /// <summary>Why nobody waits any more (`client`, `deadline`, `shutdown`), or null.</summary>
        public abstract string Cancelled { get; }

        /// <summary>Is cancelled when nobody waits any more.</summary>
        public abstract CancellationToken CancellationToken { get; }

        public abstract IDictionary<string, string> Config { get; }

        public abstract IDictionary<string, string> Secrets { get; }

        /// <summary>project, app, name and version.</summary>
        public abstract IDictionary<string, object> Function { get; }

        public abstract string Instance { get; }

        public abstract int MemoryMiB { get; }

        /// <summary>The folder with the function's files, which is the working directory too.</summary>
        public abstract string Directory { get; }

        /// <summary>Accepts the WebSocket that this call offers; it is open until it is closed or the handler returns.</summary>
        public abstract WebSocket UpgradeWebSocket(string protocol = null);
    }

    /// <summary>The code's end of a WebSocket. The platform speaks the protocol; here are whole messages.</summary>
    public abstract class WebSocket
    {
        /// <summary>Sends text of at most 1 MiB, waiting while the other side is behind.</summary>
        public abstract void Send(string text);

        /// <summary>Sends bytes, at most 1 MiB.</summary>
        public abstract void Send(byte[] bytes);

        /// <summary>The next message, a string or byte[]; null when there will be none.</summary>
        public abstract object Receive();

        public abstract void Close(int code, string reason);

        /// <summary>What the other side said when it closed, or -1.</summary>
        public abstract int CloseCode { get; }
    }
}
