# frozen_string_literal: true

module Atelier
  module Shim
    # The life of an instance: HELLO, LOAD, calls, DRAIN. One thread reads the stream, others run calls; the main one is the first.
    class Instance
      attr_reader :wire, :spec

      def initialize(channel)
        @wire = Wire.new(channel)
        @calls = {}
        @lock = Mutex.new
        @waiting = Queue.new
        @loads = Queue.new
        @threads = @free = 1 # free: threads without a call, less the calls that wait
        @draining = false
        @own = Output.new(@wire, 0)
      end

      # Does not return.
      def serve(secret)
        hello = { protocol: 1, shim: "ruby", runtime: RUBY_VERSION, pid: Process.pid }
        hello[:secret] = secret if secret
        @wire.send(HELLO, 0, 0, JSON.generate(hello))
        Thread.new { read }
        load(JSON.parse(@loads.pop))
        work
      end

      # Told once by every call, after its last frame.
      def ended(call)
        drained = @lock.synchronize do
          @calls.delete(call.number)
          @draining && @calls.empty?
        end
        leave if drained
      end

      private

      def read
        @wire.each_frame do |kind, flags, number, payload|
          if kind == CALL then start(Call.new(self, number, flags, payload))
          elsif number != 0 then @lock.synchronize { @calls[number] }&.receive(kind, flags, payload)
          elsif kind == PING then @wire.send(PONG, 0, 0, payload)
          elsif kind == LOAD then @loads << payload
          elsif kind == DRAIN
            @draining = true
            leave if @lock.synchronize { @calls.empty? }
          end
        end
      ensure
        exit!(0) # the code may hold threads that never end
      end

      def leave
        @wire.close
        exit!(0)
      end

      def start(call)
        @lock.synchronize do
          @calls[call.number] = call
          if @free <= 0 && @threads < @spec["concurrency"]
            @threads += 1
            @free += 1
            Thread.new { work }
          end
          @free -= 1
        end
        @waiting << call
      end

      def work
        loop do
          run(@waiting.pop)
          @lock.synchronize { @free += 1 }
        end
      end

      def run(call)
        Thread.current.thread_variable_set(:atelier_call, call)
        @handle.call(call)
        call.fail(RuntimeError.new("The handler has sent no answer.")) unless call.over
      rescue Exception => e # also a SystemExit: it ends the call, not the instance
        call.fail(e)
      ensure
        Thread.current.thread_variable_set(:atelier_call, nil)
      end

      def load(spec)
        before = Process.clock_gettime(Process::CLOCK_MONOTONIC, :microsecond)
        @spec = spec
        $stdout = CapturedStream.new(1, @own)
        $stderr = CapturedStream.new(2, @own)
        @handle = Loader.new(spec).handle
        @own.finish
        took = Process.clock_gettime(Process::CLOCK_MONOTONIC, :microsecond) - before
        @wire.send(LOADED, 0, 0, JSON.generate(initUs: took))
      rescue Exception => e # also a SystemExit or SyntaxError of the code
        @own.finish
        @wire.send(LOAD_FAILED, 0, 0, Shim.failure(e))
        exit!(1)
      end
    end
  end
end
