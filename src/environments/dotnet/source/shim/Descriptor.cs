using System;
using System.IO;
using System.Runtime.InteropServices;

namespace Atelier.Shim
{
    /// <summary>An open descriptor as a stream. .NET has no public way to a socket by its number, so the C library is asked.</summary>
    internal sealed class Descriptor : OneWayStream
    {
        private const int Interrupted = 4; // EINTR

        private readonly int number;

        internal Descriptor(int number)
        {
            this.number = number;
        }

        public override bool CanRead { get { return true; } }

        public override bool CanWrite { get { return true; } }

        public override int Read(byte[] buffer, int offset, int count)
        {
            return Transfer(buffer, offset, count, false);
        }

        public override void Write(byte[] buffer, int offset, int count)
        {
            while (count > 0)
            {
                int written = Transfer(buffer, offset, count, true);
                offset += written;
                count -= written;
            }
        }

        internal static void ExitAtOnce(int code)
        {
            _exit(code);
        }

        internal static int ProcessNumber()
        {
            return getpid();
        }

        private int Transfer(byte[] buffer, int offset, int count, bool write)
        {
            GCHandle pinned = GCHandle.Alloc(buffer, GCHandleType.Pinned);
            try
            {
                IntPtr from = IntPtr.Add(pinned.AddrOfPinnedObject(), offset);
                while (true)
                {
                    long moved = (long)(write ? write_(number, from, (IntPtr)count) : read_(number, from, (IntPtr)count));
                    if (moved >= 0) return (int)moved;
                    int error = Marshal.GetLastWin32Error();
                    if (error != Interrupted) throw new IOException("The stream to the platform failed with error " + error + ".");
                }
            }
            finally
            {
                pinned.Free();
            }
        }

        // By the file's name: the name alone is looked up in Mono's configuration, which sandboxes do not see.
        private const string Libc = "libc.so.6";

        [DllImport(Libc, EntryPoint = "read", SetLastError = true)]
        private static extern IntPtr read_(int descriptor, IntPtr buffer, IntPtr count);

        [DllImport(Libc, EntryPoint = "write", SetLastError = true)]
        private static extern IntPtr write_(int descriptor, IntPtr buffer, IntPtr count);

        [DllImport(Libc)]
        private static extern int getpid();

        [DllImport(Libc)]
        private static extern void _exit(int code);
    }

    /// <summary>What streams have in common that cannot seek.</summary>
    internal abstract class OneWayStream : Stream
    {
        public override bool CanRead { get { return false; } }

        public override bool CanWrite { get { return false; } }

        public override bool CanSeek { get { return false; } }

        public override long Length { get { throw new NotSupportedException(); } }

        public override long Position
        {
            get { throw new NotSupportedException(); }
            set { throw new NotSupportedException(); }
        }

        public override void Flush()
        {
        }

        public override int Read(byte[] buffer, int offset, int count)
        {
            throw new NotSupportedException();
        }

        public override void Write(byte[] buffer, int offset, int count)
        {
            throw new NotSupportedException();
        }

        public override long Seek(long offset, SeekOrigin origin)
        {
            throw new NotSupportedException();
        }

        public override void SetLength(long value)
        {
            throw new NotSupportedException();
        }
    }
}
