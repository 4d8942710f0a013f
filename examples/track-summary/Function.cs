using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Xml;
using Atelier;

namespace Tracks
{
    /// <summary>Reads a GPX file as it comes, however long it is, and tells of each track how far, how high and how fast it goes.</summary>
    public class Function
    {
        private const int TracksMax = 100;

        public Response Handle(Request request, Context context)
        {
            var settings = new XmlReaderSettings { DtdProcessing = DtdProcessing.Prohibit, XmlResolver = null };
            var tracks = new List<Track>();
            try
            {
                using (XmlReader file = XmlReader.Create(request.Stream, settings)) Read(file, tracks, context);
            }
            catch (XmlException error)
            {
                return Wrong(error.Message);
            }
            catch (FormatException error)
            {
                return Wrong(error.Message);
            }
            if (tracks.Count == 0) return Wrong("This is no GPX file with a track in it.");
            Console.WriteLine(tracks.Count + " tracks");
            return Response.Json(new { tracks = tracks.ConvertAll(each => each.Summary()) });
        }

        private static void Read(XmlReader file, List<Track> tracks, Context context)
        {
            Track track = null;
            Point point = null;
            bool more = file.Read();
            while (more)
            {
                context.CancellationToken.ThrowIfCancellationRequested();
                bool text = false; // whether an element's text was read, and the reader stands behind it
                if (file.NodeType == XmlNodeType.Element)
                {
                    string name = file.LocalName;
                    if (name == "trk")
                    {
                        if (tracks.Count == TracksMax) throw new FormatException("There are more than " + TracksMax + " tracks.");
                        tracks.Add(track = new Track());
                    }
                    else if (name == "trkseg" && track != null) track.Begin();
                    else if (name == "trkpt" && track != null)
                    {
                        point = new Point { Latitude = Number(file, "lat"), Longitude = Number(file, "lon") };
                        if (file.IsEmptyElement) track.Add(point);
                    }
                    else if (text = track != null && (name == "ele" && point != null || name == "time" && point != null || name == "name" && point == null))
                    {
                        string value = file.ReadElementContentAsString();
                        if (name == "name") track.Name = value;
                        else if (name == "ele") point.Metres = double.Parse(value, NumberStyles.Float, CultureInfo.InvariantCulture);
                        else point.Time = DateTimeOffset.Parse(value, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal);
                    }
                }
                else if (file.NodeType == XmlNodeType.EndElement && file.LocalName == "trkpt" && point != null)
                {
                    track.Add(point);
                    point = null;
                }
                more = text ? !file.EOF : file.Read();
            }
        }

        private static double Number(XmlReader file, string name)
        {
            double number;
            if (double.TryParse(file.GetAttribute(name), NumberStyles.Float, CultureInfo.InvariantCulture, out number)) return number;
            throw new FormatException("A point of the track has no number as its " + name + ".");
        }

        private static Response Wrong(string message)
        {
            return Response.Json(new { error = message }).With(400);
        }
    }
}
