using System;
using System.Collections.Generic;
using System.IO;

namespace Fission.DotNetCore.Api
{
    /// <summary>What functions written for Fission's .NET environment are given, by the names that they use.</summary>
    public sealed class FissionContext
    {
        private readonly Atelier.Context context;

        /// <summary>Made by the platform, and by tests.</summary>
        public FissionContext(Atelier.Request request, Atelier.Context context)
        {
            this.context = context;
            Logger = new Logger();
            Request = new FissionHttpRequest(request);
            Arguments = new Dictionary<string, object>();
            foreach (var each in request.Query()) Arguments[each.Key] = each.Value[0];
        }

        /// <summary>The first value of each parameter in the query.</summary>
        public Dictionary<string, object> Arguments { get; private set; }

        public FissionHttpRequest Request { get; private set; }

        public Logger Logger { get; private set; }

        public string PackagePath { get { return context.Directory; } }
    }

    public sealed class FissionHttpRequest
    {
        private readonly Atelier.Request request;

        internal FissionHttpRequest(Atelier.Request request)
        {
            this.request = request;
            Headers = new Dictionary<string, IEnumerable<string>>(StringComparer.OrdinalIgnoreCase);
            foreach (var line in request.Headers.Lines) Headers[line.Key] = request.Headers.All(line.Key);
        }

        public Stream Body { get { return request.Stream; } }

        public Dictionary<string, IEnumerable<string>> Headers { get; private set; }

        public string Url { get { return request.Url; } }

        public string Method { get { return request.Method; } }

        public string BodyAsString()
        {
            return request.Text();
        }
    }

    public sealed class Logger
    {
        public void WriteInfo(string format, params object[] args)
        {
            Console.Out.WriteLine(Filled(format, args));
        }

        public void WriteWarning(string format, params object[] args)
        {
            Console.Error.WriteLine("warning: " + Filled(format, args));
        }

        public void WriteError(string format, params object[] args)
        {
            Console.Error.WriteLine("error: " + Filled(format, args));
        }

        public void WriteCritical(string format, params object[] args)
        {
            Console.Error.WriteLine("critical: " + Filled(format, args));
        }

        private static string Filled(string format, object[] args)
        {
            return args.Length == 0 ? format : string.Format(format, args);
        }
    }
}
