using System;
using System.Collections.Generic;
using System.Threading;

namespace Atelier.Shim
{
    /// <summary>What a handler is told beside the request, of one call.</summary>
    internal sealed class CallContext : Context
    {
        private static readonly DateTime Epoch = new DateTime(1970, 1, 1, 0, 0, 0, DateTimeKind.Utc);

        private readonly Call call;
        private readonly Version version;

        internal CallContext(Call call, Version version)
        {
            this.call = call;
            this.version = version;
        }

        public override string InvocationId { get { return call.Id; } }

        public override string Traceparent { get { return call.Headers["traceparent"]; } }

        public override long Deadline { get { return call.Deadline; } }

        public override long RemainingMs
        {
            get { return Math.Max(0, call.Deadline - (long)(DateTime.UtcNow - Epoch).TotalMilliseconds); }
        }

        public override string Cancelled { get { return call.CancelReason; } }

        public override CancellationToken CancellationToken { get { return call.CancellationToken; } }

        public override IDictionary<string, string> Config { get { return version.Config; } }

        public override IDictionary<string, string> Secrets { get { return version.Secrets; } }

        public override IDictionary<string, object> Function { get { return version.Function; } }

        public override string Instance { get { return version.Instance; } }

        public override int MemoryMiB { get { return version.MemoryMiB; } }

        public override string Directory { get { return version.Directory; } }

        public override WebSocket UpgradeWebSocket(string protocol = null)
        {
            return Socket.Accept(call, protocol);
        }
    }
}
