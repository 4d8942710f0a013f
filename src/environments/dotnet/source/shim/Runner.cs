using System;
using System.Collections.Generic;
using System.IO;
using System.Threading;

namespace Atelier.Shim
{
    /// <summary>Runs calls on threads of its own, as many at once as the platform sends. A thread that is free takes the next call.</summary>
    internal sealed class Runner
    {
        private const int StackBytes = 1024 * 1024;

        private readonly List<Call> waiting = new List<Call>();
        private Version version;
        private Handler handler;
        private int free;

        internal void Use(Version of, Handler by)
        {
            version = of;
            handler = by;
        }

        internal void Start(Call call)
        {
            lock (waiting)
            {
                waiting.Add(call);
                if (free >= waiting.Count)
                {
                    Monitor.Pulse(waiting);
                    return;
                }
                free++;
            }
            new Thread(Serve, StackBytes) { IsBackground = true, Name = "atelier-call" }.Start();
        }

        /// <summary>On this thread, for nobody.</summary>
        internal void Rehearse(Call call)
        {
            Run(call);
        }

        private void Serve()
        {
            while (true)
            {
                Call call;
                lock (waiting)
                {
                    while (waiting.Count == 0) Monitor.Wait(waiting);
                    call = waiting[0];
                    waiting.RemoveAt(0);
                    free--;
                }
                try
                {
                    Run(call);
                }
                catch (IOException)
                {
                    return; // the platform has gone
                }
                lock (waiting) free++;
            }
        }

        private void Run(Call call)
        {
            Output.Current.Value = call;
            try
            {
                var request = new Request(call.Method, call.Target, call.Headers, call.Body);
                object result = handler.Handle(request, new CallContext(call, version));
                if (call.Socket != null) call.Socket.Close(1000, "");
                else Answer.Send(call, Response.Of(result));
            }
            catch (Exception error)
            {
                call.Fail(error);
            }
            finally
            {
                Output.Current.Value = null;
            }
        }
    }
}
