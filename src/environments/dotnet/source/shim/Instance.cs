using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.IO;
using System.Reflection;
using System.Text;
using System.Threading;

namespace Atelier.Shim
{
    /// <summary>The life of an instance: HELLO, LOAD, calls, DRAIN. The main thread reads the stream; others run the code.</summary>
    internal sealed class Instance
    {
        private readonly Wire wire;
        private readonly Runner runner = new Runner();
        private readonly ConcurrentDictionary<int, Call> calls = new ConcurrentDictionary<int, Call>();
        private volatile bool draining;

        internal Instance(Wire wire)
        {
            this.wire = wire;
        }

        /// <summary>Ends with the process.</summary>
        internal void Serve()
        {
            var hello = new Dictionary<string, object>
            {
                { "protocol", 1 }, { "shim", "dotnet" }, { "runtime", Runtime() }, { "pid", Descriptor.ProcessNumber() },
            };
            string secret = Variables.Take("ATELIER_SECRET");
            if (secret != null) hello["secret"] = secret;
            wire.Send(Wire.Hello, 0, 0, Bytes(hello));
            try
            {
                while (wire.Next()) Receive();
            }
            catch (IOException)
            {
                // the platform has gone
            }
            finally
            {
                Descriptor.ExitAtOnce(0); // the code may hold threads that never end
            }
        }

        /// <summary>"Mono 6.8.0.105", or the version of .NET.</summary>
        internal static string Runtime()
        {
            Type mono = Type.GetType("Mono.Runtime");
            MethodInfo name = mono == null ? null : mono.GetMethod("GetDisplayName", BindingFlags.NonPublic | BindingFlags.Static);
            if (name == null) return ".NET " + Environment.Version;
            return "Mono " + ((string)name.Invoke(null, null)).Split(' ')[0];
        }

        private void Receive()
        {
            switch (wire.Type)
            {
                case Wire.Call:
                    var call = new Call(wire, wire.Number, wire.Flags, wire.Payload, OnCallEnd);
                    calls[call.Number] = call;
                    runner.Start(call);
                    break;
                case Wire.Ping:
                    wire.Send(Wire.Pong, 0, 0, wire.Payload);
                    break;
                case Wire.Load:
                    byte[] payload = wire.Payload;
                    // On a thread of its own: the stream is read while the code loads.
                    new Thread(() => Load(payload)) { IsBackground = true, Name = "atelier-load" }.Start();
                    break;
                case Wire.Drain:
                    draining = true;
                    ExitWhenDrained();
                    break;
                default:
                    Call known;
                    if (calls.TryGetValue(wire.Number, out known)) known.Receive(wire.Type, wire.Flags, wire.Payload);
                    break;
            }
        }

        private void OnCallEnd(Call call)
        {
            Call ended;
            calls.TryRemove(call.Number, out ended);
            ExitWhenDrained();
        }

        private void ExitWhenDrained()
        {
            if (draining && calls.IsEmpty) Descriptor.ExitAtOnce(0);
        }

        private void Load(byte[] payload)
        {
            DateTime before = DateTime.UtcNow;
            try
            {
                try
                {
                    var version = new Version(payload);
                    Variables.Take("ATELIER_DIRECTORY");
                    foreach (var each in version.Config) Environment.SetEnvironmentVariable(each.Key, each.Value);
                    foreach (var each in version.Secrets) Environment.SetEnvironmentVariable(each.Key, each.Value);
                    Output.Capture(wire);
                    Directory.SetCurrentDirectory(version.Directory);
                    runner.Use(version, Handler.Load(Code.Load(version.Directory), version.Entry));
                }
                catch (Exception error)
                {
                    wire.Send(Wire.LoadFailed, 0, 0, Failure.Of(error));
                    Descriptor.ExitAtOnce(1);
                }
                var loaded = new Dictionary<string, object> { { "initUs", (DateTime.UtcNow - before).Ticks / 10 } };
                wire.Send(Wire.Loaded, 0, 0, Bytes(loaded));
            }
            catch (IOException)
            {
                Descriptor.ExitAtOnce(0);
            }
        }

        private static byte[] Bytes(object value)
        {
            return Encoding.UTF8.GetBytes(Json.Write(value));
        }
    }

    /// <summary>Variables that are for the shim: the code does not see them.</summary>
    internal static class Variables
    {
        internal static string Take(string name)
        {
            string value = Environment.GetEnvironmentVariable(name);
            if (value != null) Environment.SetEnvironmentVariable(name, null);
            return value;
        }
    }
}
