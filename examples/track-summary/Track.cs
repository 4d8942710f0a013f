using System;

namespace Tracks
{
    internal sealed class Point
    {
        internal double Latitude, Longitude;
        internal double? Metres;
        internal DateTimeOffset? Time;
    }

    /// <summary>Sums up points as they come; none is kept but the last.</summary>
    internal sealed class Track
    {
        private const double EarthMetres = 6371000;
        private const double ClimbMetresMin = 2; // less is the noise of the receiver

        private Point last;
        private double? level;
        private DateTimeOffset? first, latest;
        private double metres, up, down;
        private int points;

        internal string Name { get; set; }

        /// <summary>A new segment: the way to its first point was not recorded.</summary>
        internal void Begin()
        {
            last = null;
            level = null;
        }

        internal void Add(Point point)
        {
            points++;
            if (last != null) metres += Distance(last, point);
            if (point.Metres != null)
            {
                double step = point.Metres.Value - (level ?? point.Metres.Value);
                if (level == null || Math.Abs(step) >= ClimbMetresMin) level = point.Metres;
                if (step >= ClimbMetresMin) up += step;
                if (step <= -ClimbMetresMin) down -= step;
            }
            first = first ?? point.Time;
            latest = point.Time ?? latest;
            last = point;
        }

        internal object Summary()
        {
            double? seconds = latest == null ? (double?)null : (latest.Value - first.Value).TotalSeconds;
            return new
            {
                name = Name,
                points,
                kilometres = Math.Round(metres / 1000, 2),
                metresUp = Math.Round(up),
                metresDown = Math.Round(down),
                minutes = seconds == null ? (double?)null : Math.Round(seconds.Value / 60, 1),
                kilometresPerHour = seconds > 0 ? Math.Round(metres / 1000 / (seconds.Value / 3600), 1) : (double?)null,
            };
        }

        /// <summary>Along the great circle.</summary>
        private static double Distance(Point from, Point to)
        {
            double a = Radians(from.Latitude), b = Radians(to.Latitude);
            double north = Math.Sin((b - a) / 2), east = Math.Sin(Radians(to.Longitude - from.Longitude) / 2);
            double square = north * north + Math.Cos(a) * Math.Cos(b) * east * east;
            return 2 * EarthMetres * Math.Asin(Math.Sqrt(Math.Min(1, square)));
        }

        private static double Radians(double degrees)
        {
            return degrees * Math.PI / 180;
        }
    }
}
