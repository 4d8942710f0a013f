using System;
using System.IO;
using System.Net.Sockets;

namespace Atelier.Shim
{
    /// <summary>The shim for C#: speaks frames (docs/frames.md) for one instance. Mono's or .NET's own libraries alone.</summary>
    internal static class Program
    {
        private const int FramesDescriptor = 3;

        /// <summary>Without arguments it serves; `build folder entry [assembly]` is the last step of a build.</summary>
        private static int Main(string[] arguments)
        {
            if (arguments.Length > 0) return Build.Run(arguments[1], arguments[2], arguments.Length > 3 ? arguments[3] : null);
            if (Variables.Take("ATELIER_GENERIC") != null) Rehearsal.Play();
            new Instance(new Wire(Connect())).Serve();
            return 0;
        }

        private static Stream Connect()
        {
            string target = Variables.Take("ATELIER_CONNECT");
            return target == null ? new Descriptor(FramesDescriptor) : Dial(target);
        }

        private static Stream Dial(string target)
        {
            var address = new Uri(target);
            var client = new TcpClient(address.DnsSafeHost, address.Port) { NoDelay = true };
            return client.GetStream();
        }
    }
}
