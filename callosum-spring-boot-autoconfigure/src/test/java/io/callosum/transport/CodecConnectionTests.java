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

package io.callosum.transport;

import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.embedded.EmbeddedChannel;
import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;
import static org.mockito.BDDMockito.given;
import static org.mockito.Mockito.mock;

/**
 * Tests for {@link CodecConnection}.
 *
 * @author The Callosum authors
 */
class CodecConnectionTests {

	@Test
	void nothingIsCreatedForCodecsThatCameInTimeWhenReactorNettyRemovesThem() {
		EmbeddedChannel channel = new EmbeddedChannel();
		ChannelOwner owner = mock(ChannelOwner.class);
		given(owner.channel()).willReturn(channel);
		CodecConnection connection = new CodecConnection(owner, false);
		channel.closeFuture().addListener((closed) -> connection.close());
		connection.addHandlerLast("codec", new ChannelInboundHandlerAdapter());
		assertThat(channel.pipeline().get("codec")).isNotNull();
		channel.close();
		assertThat(connection.lateCodecs()).isNull();
	}

	@Test
	void aCodecThatComesLateHasAPlaceOfItsOwnAndCanBeRemovedThere() {
		EmbeddedChannel channel = new EmbeddedChannel();
		ChannelOwner owner = mock(ChannelOwner.class);
		given(owner.channel()).willReturn(channel);
		CodecConnection connection = new CodecConnection(owner, true);
		connection.addHandlerLast("codec", new ChannelInboundHandlerAdapter());
		assertThat(channel.pipeline().get("codec")).isNull();
		assertThat(connection.lateCodecs()).isNotNull();
		assertThat(connection.lateCodecs().pipeline().get("codec")).isNotNull();
		connection.removeHandler("codec");
		assertThat(connection.lateCodecs().pipeline().get("codec")).isNull();
	}

}
