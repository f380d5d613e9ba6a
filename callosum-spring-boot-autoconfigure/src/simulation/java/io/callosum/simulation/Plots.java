/*
 * Copyright 2026 the Callosum authors
 *
 * Licensed under the Apache License, Version 2.0 (the "License");
 * you may not use this file except in compliance with the License.
 * You may obtain a copy of the License at
 *
 *      https://www.apache.org/licenses/LICENSE-2.0
 *
 * Unless required by applicable law or agreed to in writing, software
 * distributed under the License is distributed on an "AS IS" BASIS,
 * WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
 * See the License for the specific language governing permissions and
 * limitations under the License.
 */

package io.callosum.simulation;

import java.awt.BasicStroke;
import java.awt.Color;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.ToDoubleFunction;

import javax.imageio.ImageIO;

import org.knowm.xchart.BitmapEncoder;

import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.style.Styler.LegendPosition;
import org.knowm.xchart.style.markers.SeriesMarkers;

/**
 * Draws how single runs went: a rolling restart, and servers that are added.
 *
 * @author The Callosum authors
 */
final class Plots {

	private static final long SEED = 1;

	private static final Duration STEP = Duration.ofMillis(500);

	private static final Color[] COLORS = { new Color(0x0B6E4F), new Color(0x7A7A7A), new Color(0xC8553D),
			new Color(0x2F6DB5) };

	private final Path directory;

	Plots(Path directory) {
		this.directory = directory;
	}

	void draw(Cell cell, List<Arm> arms) throws IOException {
		Files.createDirectories(this.directory);
		Map<String, List<double[]>> roll = new LinkedHashMap<>();
		Map<String, List<double[]>> scaleUp = new LinkedHashMap<>();
		for (Arm arm : arms) {
			roll.put(arm.name(), roll(cell, arm));
			scaleUp.put(arm.name(), scaleUp(cell, arm));
		}
		save("roll", "Rolling restart of " + cell.servers() + " servers, " + cell.clients() + " clients of "
				+ cell.poolSize() + " connections", "busiest server / mean", roll);
		save("scale-up", "A quarter more servers: " + cell.servers() + " + " + (cell.servers() + 3) / 4,
				"connections of a new server / mean", scaleUp);
	}

	private List<double[]> roll(Cell cell, Arm arm) {
		Fleet fleet = new Fleet(cell, arm, SEED);
		ConnectionScenarios.settle(fleet);
		List<double[]> points = new ArrayList<>();
		long begin = fleet.time.now();
		sample(fleet, Duration.ofSeconds(20), begin, points, Plots::busiest);
		for (SimulatedServer server : fleet.servers) {
			server.stop();
			sample(fleet, Duration.ofSeconds(5), begin, points, Plots::busiest);
			server.start();
			sample(fleet, Duration.ofSeconds(15), begin, points, Plots::busiest);
		}
		sample(fleet, Duration.ofSeconds(60), begin, points, Plots::busiest);
		return points;
	}

	private List<double[]> scaleUp(Cell cell, Arm arm) {
		Fleet fleet = new Fleet(cell, arm, SEED);
		ConnectionScenarios.settle(fleet);
		List<double[]> points = new ArrayList<>();
		long begin = fleet.time.now();
		int before = fleet.servers.size();
		ConnectionScenarios.addServers(fleet);
		sample(fleet, Duration.ofSeconds(180), begin, points,
				(sampled) -> sampled.servers.subList(before, sampled.servers.size())
					.stream()
					.mapToInt((server) -> server.kept)
					.average()
					.orElse(0) / mean(sampled));
		return points;
	}

	private static double busiest(Fleet fleet) {
		return fleet.servers.stream().mapToInt((server) -> server.kept).max().orElse(0) / mean(fleet);
	}

	private static double mean(Fleet fleet) {
		return fleet.servers.stream()
			.filter(SimulatedServer::isUp)
			.mapToInt((server) -> server.kept)
			.average()
			.orElse(Double.NaN);
	}

	private static void sample(Fleet fleet, Duration duration, long begin, List<double[]> points,
			ToDoubleFunction<Fleet> value) {
		long end = fleet.time.now() + duration.toNanos();
		while (fleet.time.now() < end) {
			fleet.run(STEP);
			points.add(new double[] { (fleet.time.now() - begin) / 1e9, value.applyAsDouble(fleet) });
		}
	}

	private void save(String name, String title, String axis, Map<String, List<double[]>> series) throws IOException {
		XYChart chart = new XYChartBuilder().width(960)
			.height(400)
			.title(title)
			.xAxisTitle("seconds")
			.yAxisTitle(axis)
			.build();
		chart.getStyler().setLegendPosition(LegendPosition.OutsideE);
		chart.getStyler().setChartBackgroundColor(Color.WHITE);
		chart.getStyler().setSeriesColors(COLORS);
		chart.getStyler().setYAxisDecimalPattern("0.00");
		series.forEach((arm, points) -> chart
			.addSeries(arm, points.stream().mapToDouble((point) -> point[0]).toArray(),
					points.stream().mapToDouble((point) -> point[1]).toArray())
			.setMarker(SeriesMarkers.NONE)
			.setLineStyle(new BasicStroke(1.6f)));
		ImageIO.write(BitmapEncoder.getBufferedImage(chart), "png", this.directory.resolve(name + ".png").toFile());
	}

}
