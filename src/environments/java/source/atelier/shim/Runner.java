package atelier.shim;

import atelier.Request;
import atelier.Response;
import java.io.IOException;
import java.util.concurrent.LinkedBlockingQueue;

/** Runs calls on threads: as many as run at once, no more than the function's concurrency. */
final class Runner {
  private final LinkedBlockingQueue<Call> waiting = new LinkedBlockingQueue<>();
  private Version version;
  private Handler handler;
  private int threads;
  /** Threads without a call, less the calls that wait. */
  private int free;

  /** Starts the first thread, so that no call waits for it. */
  Runner() {
    addThread();
  }

  /** Before the first call. */
  synchronized void use(Version version, Handler handler) {
    this.version = version;
    this.handler = handler;
  }

  /** Called on the reading thread. */
  void start(Call call) {
    synchronized (this) {
      if (free <= 0 && threads < version.concurrency) addThread();
      free--;
    }
    waiting.add(call);
  }

  private synchronized void addThread() {
    Thread thread = new Thread(this::serve, "atelier-call-" + (threads + 1));
    thread.setDaemon(true);
    try {
      thread.start();
    } catch (OutOfMemoryError tooMany) {
      if (threads == 0) throw tooMany;
      return; // the limit of processes is reached: the call waits for a thread that there is
    }
    threads++;
    free++;
  }

  private void serve() {
    while (true) {
      try {
        Call call = waiting.take();
        run(call);
      } catch (InterruptedException late) {
        continue; // meant for the call before
      } catch (IOException gone) {
        return; // the platform has gone
      }
      synchronized (this) {
        free++;
      }
    }
  }

  private void run(Call call) throws IOException {
    Thread thread = Thread.currentThread();
    thread.setContextClassLoader(handler.loader());
    Output.CURRENT.set(call);
    call.runOn(thread);
    try {
      Request request = new Request(call.method, call.target, call.headers, call);
      Object result = handler.handle(request, new CallContext(call, version));
      if (call.socket != null) call.socket.close(1000, "");
      else Answer.send(call, Response.of(result));
    } catch (Throwable error) {
      call.fail(error);
    } finally {
      call.runOn(null);
      Thread.interrupted();
      Output.CURRENT.remove();
    }
  }
}
