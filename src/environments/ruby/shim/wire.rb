# frozen_string_literal: true

module Atelier
  module Shim
    HELLO, LOAD, LOADED, LOAD_FAILED = 1, 2, 3, 4
    CALL, RESULT, DATA, WINDOW, CANCEL, FAIL, MESSAGE, LOG = 16, 17, 18, 19, 20, 21, 22, 23
    PING, PONG, DRAIN = 32, 33, 34
    FINAL, TEXT = 1, 2 # flags

    DATA_BYTES_MAX = 64 * 1024
    WINDOW_BYTES = 262_144
    PAYLOAD_BYTES_MAX = 1024 * 1024
    MESSAGE_COST_BYTES = 64 # what a WebSocket message takes of the window beside its payload

    # Frames out under one lock, from any thread; frames in to one visitor.
    class Wire
      def initialize(channel)
        @channel = channel
        @channel.binmode
        @lock = Mutex.new
      end

      def send(kind, flags, call, payload = "")
        data = [payload.bytesize, kind, flags, call].pack("NCCN") << payload.b
        @lock.synchronize { @channel.write(data) }
      end

      def result(flags, call, head, body = "")
        send(RESULT, flags, call, [head.bytesize].pack("N") << head.b << body.b)
      end

      # Yields kind, flags, call and payload of every frame until the stream ends.
      def each_frame
        waiting = String.new(encoding: Encoding::BINARY)
        loop do
          waiting << @channel.readpartial(DATA_BYTES_MAX)
          at = 0
          while waiting.bytesize - at >= 10
            length, kind, flags, call = waiting.byteslice(at, 10).unpack("NCCN")
            return if length > PAYLOAD_BYTES_MAX
            break if waiting.bytesize < at + 10 + length

            yield kind, flags, call, waiting.byteslice(at + 10, length)
            at += 10 + length
          end
          waiting = waiting.byteslice(at..) if at.positive?
        end
      rescue EOFError, SystemCallError, IOError
        nil # the platform has gone
      end

      def close
        @channel.close
      end
    end
  end
end
