# frozen_string_literal: true

module Atelier
  module Shim
    CALL_LOG_BYTES_MAX = 1024 * 1024
    LINE_BYTES_MAX = 32 * 1024

    # What one call prints, as LOG frames of whole lines; what is beyond the limit is dropped. Call 0 is the instance.
    class Output
      def initialize(wire, call)
        @wire = wire
        @call = call
        @partial = { 1 => String.new, 2 => String.new }
        @written = 0
        @lock = Mutex.new
      end

      def print(stream, text)
        @lock.synchronize do
          return if @call != 0 && @written > CALL_LOG_BYTES_MAX

          partial = @partial[stream] << text
          last = partial.rindex("\n")
          if last.nil?
            send_lines(stream, partial.slice!(0..) << "\n") if partial.bytesize > LINE_BYTES_MAX
          else
            send_lines(stream, partial.slice!(0..last))
          end
        end
      end

      def finish
        @lock.synchronize do
          @partial.each { |stream, text| send_lines(stream, text.slice!(0..) << "\n") unless text.empty? }
        end
      end

      private

      def send_lines(stream, lines)
        @written += lines.bytesize
        until lines.empty?
          size = lines.bytesize
          size = (lines.byteslice(0, DATA_BYTES_MAX).b.rindex("\n") || DATA_BYTES_MAX - 1) + 1 if size > DATA_BYTES_MAX
          @wire.send(LOG, 0, @call, [stream].pack("C") << lines.byteslice(0, size).b)
          lines = lines.byteslice(size..)
        end
      end
    end

    # Stands in for $stdout and $stderr: what is printed belongs to the call of this thread.
    class CapturedStream
      def initialize(stream, own)
        @stream = stream
        @own = own
      end

      def write(*texts)
        output = Thread.current.thread_variable_get(:atelier_call)&.output || @own
        texts.sum do |text|
          text = Shim.valid(text.to_s)
          output.print(@stream, text)
          text.bytesize
        end
      end

      def print(*texts)
        write(*texts)
        nil
      end

      def <<(text)
        write(text)
        self
      end

      def puts(*values)
        write(StringIO.new.tap { |text| text.puts(*values) }.string)
        nil
      end

      def printf(format, *values)
        write(Kernel.format(format, *values))
        nil
      end

      def putc(character)
        write(character.is_a?(Integer) ? (character & 255).chr : character.to_s[0])
        character
      end

      def flush = self
      def fsync = 0
      def sync = true
      def sync=(value); end
      def tty? = false
      alias isatty tty?
      def fileno = @stream
      def external_encoding = Encoding::UTF_8
    end
  end
end
