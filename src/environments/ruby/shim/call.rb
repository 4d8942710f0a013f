# frozen_string_literal: true

module Atelier
  # The caller has left, the deadline has passed, or the instance is going; raised by the next read or write.
  class Cancelled < StandardError; end

  module Shim
    WINDOW_STEP_BYTES = WINDOW_BYTES / 2
    MESSAGE_CHARACTERS_MAX = 4_000
    STACK_CHARACTERS_MAX = 32_000

    # One call: what has come of the request, what may still be sent, and how it ends.
    class Call
      attr_reader :number, :id, :method, :target, :deadline, :fields, :cancel_reason, :over, :answered, :output
      attr_accessor :socket

      def initialize(instance, number, flags, payload)
        @instance = instance
        @wire = instance.wire
        @number = number
        size = payload.unpack1("N")
        line, @id, deadline, *@fields = payload.byteslice(4, size).force_encoding(Encoding::UTF_8).split("\n")
        @method, @target = line.split(" ", 2)
        @deadline = deadline.to_i
        body = payload.byteslice(4 + size..)
        @parts = body.empty? ? [] : [[body, false]]
        @complete = flags & FINAL != 0
        @consumed = 0
        @credit = WINDOW_BYTES
        @over = @answered = false
        @lock = Mutex.new
        @changed = ConditionVariable.new # something has come from the reading thread
        @output = Output.new(@wire, number)
      end

      # The first value of a header.
      def header(name)
        prefix = "#{name}: "
        @fields.find { |field| field.start_with?(prefix) }&.delete_prefix(prefix)
      end

      # The next piece and whether it is text (of a WebSocket); nil after the last.
      def read_part
        part = @lock.synchronize do
          while @parts.empty?
            raise Cancelled, @cancel_reason if @cancel_reason
            return nil if @complete || @over

            @changed.wait(@lock)
          end
          @parts.shift
        end
        consumed(part[0].bytesize + (@socket ? MESSAGE_COST_BYTES : 0))
        part
      end

      # The whole answer, when its body fits the window.
      def answer(head, body)
        last { @wire.result(FINAL, @number, head, body) } if begin_answer
      end

      # The head; the body follows through `write` and `finish`.
      def answer_head(head)
        @wire.result(0, @number, head) if begin_answer
      end

      # Sends a piece of the body, waiting for the window where it is used up.
      def write(data)
        at = 0
        while at < data.bytesize
          size = @lock.synchronize do
            wait_for_credit
            [data.bytesize - at, DATA_BYTES_MAX, @credit].min.tap { |bytes| @credit -= bytes }
          end
          @wire.send(DATA, 0, @number, data.byteslice(at, size))
          at += size
        end
      end

      # Sends a WebSocket message, which may take the window below zero.
      def write_message(data, text)
        @lock.synchronize do
          wait_for_credit
          @credit -= data.bytesize + MESSAGE_COST_BYTES
        end
        @wire.send(MESSAGE, text ? TEXT : 0, @number, data)
      end

      def finish(close = "")
        last { @wire.send(DATA, FINAL, @number, close) }
      end

      def fail(error)
        last { @wire.send(FAIL, 0, @number, Shim.failure(error)) }
      end

      # A frame of this call, on the reading thread.
      def receive(kind, flags, payload)
        @lock.synchronize do
          case kind
          when DATA
            if @socket then @socket.close_code = payload.unpack1("n") if payload.bytesize >= 2
            elsif !payload.empty? then @parts << [payload, false]
            end
            @complete = true if flags & FINAL != 0
          when MESSAGE then @parts << [payload, flags & TEXT != 0]
          when WINDOW then @credit += payload.unpack1("N")
          when CANCEL then @cancel_reason = payload.force_encoding(Encoding::UTF_8)
          end
          @changed.broadcast
        end
      end

      private

      # Lets the platform send as much again as has been read.
      def consumed(bytes)
        return if @complete || @over

        @consumed += bytes
        return if @consumed < WINDOW_STEP_BYTES

        @wire.send(WINDOW, 0, @number, [@consumed].pack("N"))
        @consumed = 0
      end

      # The last frame: an empty FAIL where the call was cancelled.
      def last
        return if @over

        @output.finish
        @cancel_reason ? @wire.send(FAIL, 0, @number) : yield
        @over = true
        @instance.ended(self)
      end

      def wait_for_credit
        loop do
          raise Cancelled, @cancel_reason if @cancel_reason
          return if @credit.positive?

          @changed.wait(@lock)
        end
      end

      def begin_answer
        return false if @over || @answered
        raise Cancelled, @cancel_reason if @cancel_reason

        @answered = true
      end
    end

    # The payload of FAIL and LOAD_FAILED.
    def self.failure(error)
      message = error.is_a?(SystemExit) ? "The function called exit(#{error.status})." : error.message
      message = error.class.name if message.empty?
      stack = error.full_message(highlight: false, order: :top)
      JSON.generate(message: valid(message)[0, MESSAGE_CHARACTERS_MAX], stack: valid(stack)[0, STACK_CHARACTERS_MAX])
    end

    def self.valid(text)
      text.dup.force_encoding(Encoding::UTF_8).scrub
    end
  end
end
